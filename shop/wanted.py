"""What a shopper asks of a list of products, read from an address and written into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from django.http import QueryDict

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


def _price(typed: str) -> Decimal | None:
    """A price as people type it, of what the column can hold; None for anything else."""
    try:
        price = Decimal(typed.strip().replace(",", ".")) if len(typed) <= 12 else None
    except InvalidOperation:
        return None
    if price is None or not price.is_finite() or not 0 <= price < 10**8:
        return None
    return price.quantize(Decimal("0.01")) if price != int(price) else Decimal(int(price))
