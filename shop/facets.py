"""Lists of products as shoppers narrow them: kinds, a price, in stock, reduced; sorted, and in pages.

A list is judged by at most `MOST` of its products: what it shows takes about the same time in a shop of fifty products
as in one of a hundred thousand. Up to there every figure is exact; a longer list says "more than", and its facets are
told without figures.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from inventory.models import Stock
from shop import catalogue
from shop.listing import PER_PAGE, Choice, Listing, pills_of
from shop.models import Product, Variant
from shop.wanted import BEST, MOST_KINDS, SORTS, Wanted

#: Products of a list that are looked at: twenty-five pages.
MOST_PAGES = 25
MOST = PER_PAGE * MOST_PAGES
#: Pages after the one shown that are counted of a long list that is narrowed.
PAGES_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of each product of a list that is short enough to be counted."""

    pk: int
    price: Decimal
    reduced: bool
    kinds: Set[str]
    in_stock: bool


def show(*, products: QuerySet[Product], wanted: Wanted, page: int) -> Listing:
    """The page of what is wanted of `products`, or the nearest there is, in seven queries at most."""
    looked_at = look(products, wanted)
    if len(looked_at) > MOST:
        return _show_long(products, wanted, page, looked_at)
    known = _learn_of(looked_at)
    tests = _tests(wanted).values()
    fitting = {row.pk: looked_at[row.pk] for row in known if all(test(row) for test in tests)}
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
        pills=pills_of(wanted),
    )


def _show_long(
    products: QuerySet[Product], wanted: Wanted, page: int, looked_at: Mapping[int, float]
) -> Listing:
    """A list too long for figures. Counting stops a few pages after this one; the kinds are those of the page."""
    narrowed, fitting, total, most = narrow(products, wanted), looked_at, MOST + 1, MOST
    if wanted.narrows and wanted.sort == BEST:
        fitting = look(narrowed, wanted)
        total = len(fitting)
    elif wanted.narrows:
        most = min(MOST, (page + PAGES_AHEAD) * PER_PAGE)
        total = narrowed.order_by()[: most + 1].count()
    is_more = total > most
    total -= is_more
    number = _nearest(page, total)
    shown = _page(narrowed, wanted, fitting, number)
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
        pills=pills_of(wanted),
    )


def _nearest(page: int, total: int) -> int:
    return min(max(1, page), max(1, -(-min(total, MOST) // PER_PAGE)))


def look(products: QuerySet[Product], wanted: Wanted) -> dict[int, float]:
    """The ids that a list looks at, one more than `MOST` of a longer one; with their ranks where these sort it."""
    columns = ["pk", "rank"] if wanted.sort == BEST else ["pk"]
    some = products.order_by().values_list(*columns)[: MOST + 1]
    return {pk: rank[0] if rank else 0.0 for pk, *rank in some}


def _learn_of(pks: Collection[int]) -> list[Listed]:
    """What is known of these products, in one query. Each has an active variant, or no list would show it."""
    free = Stock.objects.filter(sku=OuterRef("sku"), pool=Stock.MAIN, on_hand__gt=F("allocated"))
    variants = (
        # A subquery with a limit is looked up row by row; an EXISTS might read the whole stock first.
        Variant.objects.filter(product__in=pks, is_active=True)
        .order_by()
        .annotate(free=Subquery(free.values("pk")[:1]))
        .values_list("product", "product__price_from", "product__is_reduced", "name", "free")
    )
    figures: dict[int, tuple[Decimal, bool]] = {}
    kinds: dict[int, set[str]] = defaultdict(set)
    in_stock = set()
    for pk, price, reduced, name, found in variants if pks else ():
        if price is None:
            continue  # withdrawn since the list was looked at
        figures[pk] = price, reduced
        kinds[pk].add(name)
        if found is not None:
            in_stock.add(pk)
    return [
        Listed(pk, price, reduced, kinds[pk], pk in in_stock)
        for pk, (price, reduced) in figures.items()
    ]


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
    narrowed: QuerySet[Product], wanted: Wanted, fitting: Mapping[int, float], number: int
) -> list[Product]:
    """The products of a page: of a search by their rank among what was looked at, else as the database sorts."""
    first = (number - 1) * PER_PAGE
    if wanted.sort != BEST:
        rows = narrowed.order_by(*SORTS[wanted.sort])[first : first + PER_PAGE]
        return catalogue.count_available(rows)
    return load(catalogue.published(), best_first(fitting)[first : first + PER_PAGE])


def best_first(ranks: Mapping[int, float]) -> list[int]:
    """The ids of what was looked at: the highest rank first, of equal ones the newest."""
    return sorted(ranks, key=lambda pk: (-ranks[pk], -pk))


def load(products: QuerySet[Product], pks: Sequence[int]) -> list[Product]:
    """Those of the products that have these ids, in this order."""
    by_pk = products.in_bulk(pks)
    return catalogue.count_available(by_pk[pk] for pk in pks if pk in by_pk)


def _others(rows: Sequence[Listed], wanted: Wanted, name: str) -> list[Listed]:
    """What fits all wishes but one: what there is to choose from for that one."""
    tests = [test for other, test in _tests(wanted).items() if other != name]
    return [row for row in rows if all(test(row) for test in tests)]


def _count(rows: Sequence[Listed], wanted: Wanted, name: str) -> int:
    return sum(bool(getattr(row, name)) for row in _others(rows, wanted, name))


def _kinds(rows: Sequence[Listed], wanted: Wanted) -> list[Choice]:
    """The most frequent kinds, of equally frequent ones the first by name, and those that were chosen."""
    counts = Counter(kind for row in _others(rows, wanted, "kinds") for kind in row.kinds if kind)
    by_weight = sorted(counts, key=lambda kind: (-counts[kind], kind.casefold(), kind))
    offered = {*by_weight[:MOST_KINDS], *wanted.kinds}
    return [
        Choice(kind, counts[kind], kind in wanted.kinds)
        for kind in sorted(offered, key=str.casefold)
    ]
