"""Lists of products as shoppers narrow them: kinds, a price, in stock, reduced; sorted, and in pages.

A list is judged by at most `MOST` of its products: what it shows takes about the same time in a shop of fifty products
as in one of a hundred thousand. Up to there every figure is exact; a longer list says "more than", and its facets are
told without figures.
"""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.http import QueryDict

from inventory.models import Stock
from shop import catalogue
from shop.models import Product, Variant

#: Products of a list that are looked at: twenty-five pages.
PER_PAGE, MOST_PAGES = 24, 25
MOST = PER_PAGE * MOST_PAGES
#: Pages after the one shown that are counted of a long list that is narrowed.
PAGES_AHEAD = 4
#: Kinds that are offered for choice, and that may be chosen at once.
MOST_KINDS = 12
#: Sorting by name in the address; each ends in the id, so that pages never show a product twice.
SORTS: dict[str, Sequence[str]] = {
    "newest": ["-created_at", "-id"],
    "price": ["price_from", "id"],
    "-price": ["-price_from", "-id"],
    "rating": ["-rating", "-rating_count", "-id"],
}
#: Only for searches, and then what comes first.
BEST = "best"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a shopper asked of a list. `sort` is a key of `SORTS`, or `BEST`."""

    query: str = ""
    kinds: tuple[str, ...] = ()
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool = False
    reduced: bool = False
    sort: str = "newest"

    @property
    def narrows(self) -> bool:
        return bool(self.kinds or self.in_stock or self.reduced or self.has_price)

    @property
    def has_price(self) -> bool:
        return self.price_min is not None or self.price_max is not None

    @property
    def address(self) -> str:
        """The query string that asks for this; the same for the same wishes, in whatever order they were typed."""
        default = BEST if self.query else "newest"
        pairs: list[tuple[str, object]] = [("q", self.query)] if self.query else []
        pairs += [("kind", kind) for kind in self.kinds]
        pairs += [("min", self.price_min)] if self.price_min is not None else []
        pairs += [("max", self.price_max)] if self.price_max is not None else []
        pairs += [("stock", 1)] if self.in_stock else []
        pairs += [("reduced", 1)] if self.reduced else []
        pairs += [("sort", self.sort)] if self.sort != default else []
        return urlencode(pairs)


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of each product that a list looks at."""

    pk: int
    price: Decimal
    reduced: bool
    rank: float = 0.0
    kinds: Set[str] = frozenset()
    in_stock: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind that can be chosen; `count` is what the list would show of it, None where it is too long to know."""

    value: str
    count: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Pill:
    """A wish that is in force, and the address of the list without it. `name` says which wish, `value` of what."""

    name: str
    value: object
    address: str


@dataclass(frozen=True, slots=True)
class Step:
    """A page to go to; None: some are left out here."""

    number: int | None
    address: str


@dataclass(frozen=True, slots=True)
class Sort:
    name: str
    address: str
    chosen: bool


@dataclass(frozen=True)
class Listing:
    """A page of a list and what may be chosen of it. `is_more` says that there are more than `total`."""

    wanted: Wanted
    products: list[Product]
    number: int
    total: int
    is_more: bool
    kinds: list[Choice]
    in_stock: int | None
    reduced: int | None
    cheapest: Decimal | None
    dearest: Decimal | None
    pills: list[Pill] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))

    @property
    def address(self) -> str:
        """The query string of this very page."""
        return self._address_of(self.number)

    @property
    def previous(self) -> str | None:
        return self._address_of(self.number - 1) if self.number > 1 else None

    @property
    def following(self) -> str | None:
        return self._address_of(self.number + 1) if self.number < self.pages else None

    @property
    def steps(self) -> list[Step]:
        """The first and last pages and those around this one."""
        paginator = Paginator(range(self.total), PER_PAGE)
        numbers = paginator.get_elided_page_range(self.number, on_each_side=1, on_ends=1)
        return [
            Step(number, self._address_of(number)) if isinstance(number, int) else Step(None, "")
            for number in numbers
        ]

    @property
    def sorts(self) -> list[Sort]:
        """The ways to sort, and the address of the list in each."""
        names = [BEST, *SORTS] if self.wanted.query else list(SORTS)
        return [
            Sort(name, replace(self.wanted, sort=name).address, name == self.wanted.sort)
            for name in names
        ]

    @property
    def unfiltered(self) -> str:
        """The address of the whole list, sorted as it is."""
        return Wanted(query=self.wanted.query, sort=self.wanted.sort).address

    def _address_of(self, number: int) -> str:
        page = f"page={number}" if number > 1 else ""
        return "&".join(filter(None, (self.wanted.address, page)))


def parse(data: QueryDict, *, query: str = "") -> Wanted:
    """Read an address; what nobody can have meant is left out."""
    sort = data.get("sort", "")
    is_known = sort in SORTS or (query and sort == BEST)
    low, high = _price(data.get("min", "")), _price(data.get("max", ""))
    if low is not None and high is not None and low > high:
        low, high = high, low
    kinds = (kind.replace("\x00", "")[:80].strip() for kind in data.getlist("kind")[:MOST_KINDS])
    return Wanted(
        query=query,
        kinds=tuple(sorted({kind for kind in kinds if kind})),
        price_min=low,
        price_max=high,
        in_stock=data.get("stock") == "1",
        reduced=data.get("reduced") == "1",
        sort=sort if is_known else (BEST if query else "newest"),
    )


def show(*, products: QuerySet[Product], wanted: Wanted, page: int) -> Listing:
    """The page of what is wanted of `products`, or the nearest there is, in seven queries at most."""
    looked_at = _look(products, wanted)
    if len(looked_at) > MOST:
        return _show_long(products, wanted, page, looked_at)
    known = _with_variants(looked_at)
    fitting = [row for row in known if all(test(row) for test in _tests(wanted).values())]
    number = _nearest(page, len(fitting))
    prices = [row.price for row in known]
    return Listing(
        wanted=wanted,
        products=_page(narrow(products, wanted), wanted, fitting, number),
        number=number,
        total=len(fitting),
        is_more=False,
        kinds=_kinds(known, wanted),
        in_stock=_count(known, wanted, "in_stock"),
        reduced=_count(known, wanted, "reduced"),
        cheapest=min(prices, default=None),
        dearest=max(prices, default=None),
        pills=_pills(wanted),
    )


def _show_long(
    products: QuerySet[Product], wanted: Wanted, page: int, looked_at: list[Listed]
) -> Listing:
    """A list too long for figures. Counting stops a few pages after this one; the kinds are those of the page."""
    narrowed, fitting, total, most = narrow(products, wanted), looked_at, MOST + 1, MOST
    if wanted.narrows and wanted.sort == BEST:
        fitting = _look(narrowed, wanted)
        total = len(fitting)
    elif wanted.narrows:
        most = min(MOST, (page + PAGES_AHEAD) * PER_PAGE)
        total = narrowed.order_by()[: most + 1].count()
        fitting = []
    is_more = total > most
    total -= is_more
    number = _nearest(page, total)
    shown = _page(narrowed, wanted, fitting[:MOST], number)
    seen = {variant.name for product in shown for variant in product.variants.all()}
    kinds = sorted((seen | set(wanted.kinds)) - {""}, key=str.casefold)[:MOST_KINDS]
    return Listing(
        wanted=wanted,
        products=shown,
        number=number,
        total=total,
        is_more=is_more,
        kinds=[Choice(kind, None, kind in wanted.kinds) for kind in kinds],
        in_stock=None,
        reduced=None,
        cheapest=None,
        dearest=None,
        pills=_pills(wanted),
    )


def _nearest(page: int, total: int) -> int:
    return min(max(1, page), max(1, -(-min(total, MOST) // PER_PAGE)))


def _look(products: QuerySet[Product], wanted: Wanted) -> list[Listed]:
    columns = ["pk", "price_from", "is_reduced", *(["rank"] if wanted.query else [])]
    return [Listed(*row) for row in products.order_by().values_list(*columns)[: MOST + 1]]


def _with_variants(rows: list[Listed]) -> list[Listed]:
    """The same rows with their kinds, and whether one of them is in stock."""
    free = Stock.objects.filter(sku=OuterRef("sku"), pool=Stock.MAIN, on_hand__gt=F("allocated"))
    variants = (
        # A subquery with a limit is looked up row by row; an EXISTS might read the whole stock first.
        Variant.objects.filter(product__in=[row.pk for row in rows], is_active=True)
        .order_by()
        .annotate(free=Subquery(free.values("pk")[:1]))
        .values_list("product_id", "name", "free")
    )
    kinds: dict[int, set[str]] = {row.pk: set() for row in rows}
    in_stock = set()
    for product, name, found in variants if rows else ():
        kinds[product].add(name)
        if found is not None:
            in_stock.add(product)
    return [replace(row, kinds=kinds[row.pk], in_stock=row.pk in in_stock) for row in rows]


def _in_stock() -> QuerySet[Variant]:
    free = Stock.objects.filter(sku=OuterRef("sku"), pool=Stock.MAIN, on_hand__gt=F("allocated"))
    return Variant.objects.filter(Exists(free), product=OuterRef("pk"), is_active=True)


def _tests(wanted: Wanted) -> dict[str, Callable[[Listed], bool]]:
    """What each wish says of a product."""
    low, high, kinds = wanted.price_min, wanted.price_max, set(wanted.kinds)
    tests: dict[str, Callable[[Listed], bool]] = {}
    if kinds:
        tests["kinds"] = lambda row: not kinds.isdisjoint(row.kinds)
    if wanted.has_price:
        tests["price"] = lambda row: (
            (low is None or row.price >= low) and (high is None or row.price <= high)
        )
    if wanted.in_stock:
        tests["in_stock"] = lambda row: row.in_stock
    if wanted.reduced:
        tests["reduced"] = lambda row: row.reduced
    return tests


def narrow(products: QuerySet[Product], wanted: Wanted) -> QuerySet[Product]:
    """Products that fit all wishes, judged by the database."""
    if wanted.kinds:
        named = Variant.objects.filter(
            product=OuterRef("pk"), is_active=True, name__in=wanted.kinds
        )
        products = products.filter(Exists(named))
    if wanted.price_min is not None:
        products = products.filter(price_from__gte=wanted.price_min)
    if wanted.price_max is not None:
        products = products.filter(price_from__lte=wanted.price_max)
    if wanted.in_stock:
        products = products.filter(Exists(_in_stock()))
    if wanted.reduced:
        products = products.filter(is_reduced=True)
    return products


def _page(
    narrowed: QuerySet[Product], wanted: Wanted, fitting: list[Listed], number: int
) -> list[Product]:
    """The products of a page: of a search by their rank among what was looked at, else as the database sorts."""
    first = (number - 1) * PER_PAGE
    if wanted.sort != BEST:
        rows = narrowed.order_by(*SORTS[wanted.sort])[first : first + PER_PAGE]
        return catalogue.count_available(rows)
    ordered = sorted(fitting, key=lambda row: (-row.rank, -row.pk))[first : first + PER_PAGE]
    by_pk = catalogue.published().in_bulk([row.pk for row in ordered])
    return catalogue.count_available(by_pk[row.pk] for row in ordered if row.pk in by_pk)


def _others(rows: Sequence[Listed], wanted: Wanted, name: str) -> list[Listed]:
    """What fits all wishes but one: what there is to choose from for that one."""
    tests = [test for other, test in _tests(wanted).items() if other != name]
    return [row for row in rows if all(test(row) for test in tests)]


def _count(rows: Sequence[Listed], wanted: Wanted, name: str) -> int:
    return sum(bool(getattr(row, name)) for row in _others(rows, wanted, name))


def _kinds(rows: Sequence[Listed], wanted: Wanted) -> list[Choice]:
    """The most frequent kinds, and those that were chosen."""
    counts = Counter(kind for row in _others(rows, wanted, "kinds") for kind in row.kinds if kind)
    offered = {kind for kind, _ in counts.most_common(MOST_KINDS)} | set(wanted.kinds)
    return [
        Choice(kind, counts[kind], kind in wanted.kinds)
        for kind in sorted(offered, key=str.casefold)
    ]


def _pills(wanted: Wanted) -> list[Pill]:
    def without(name: str, value: object, **changes: object) -> Pill:
        return Pill(name, value, replace(wanted, **changes).address)  # type: ignore[arg-type]  # fields of their own types

    pills = [
        without("kind", kind, kinds=tuple(other for other in wanted.kinds if other != kind))
        for kind in wanted.kinds
    ]
    if wanted.price_min is not None:
        pills.append(without("min", wanted.price_min, price_min=None))
    if wanted.price_max is not None:
        pills.append(without("max", wanted.price_max, price_max=None))
    if wanted.in_stock:
        pills.append(without("stock", None, in_stock=False))
    if wanted.reduced:
        pills.append(without("reduced", None, reduced=False))
    return pills


def _price(typed: str) -> Decimal | None:
    """A price as people type it, of what the column can hold; None for anything else."""
    try:
        price = Decimal(typed.strip().replace(",", ".")) if len(typed) <= 12 else None
    except InvalidOperation:
        return None
    if price is None or not price.is_finite() or not 0 <= price < 10**8:
        return None
    return price.quantize(Decimal("0.01")) if price != int(price) else Decimal(int(price))
