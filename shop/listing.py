"""A page of a list of products: what it shows, and the addresses of what may be chosen next."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.core.paginator import Paginator

from shop.models import Product
from shop.wanted import BEST, SORTS, Wanted

PER_PAGE = 24


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


def pills_of(wanted: Wanted) -> list[Pill]:
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
