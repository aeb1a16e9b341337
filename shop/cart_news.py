"""What has changed with the things in a cart since their shopper was told last.

Each line remembers what was told: its price, how many of it could be had, and whether it was for sale. News is
what differs; telling it and remembering it is one UPDATE that carries its condition, so two tabs that open the
cart at once tell it once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db import connection

from inventory.arrays import array
from shop.carts import Contents, PricedLine

#: Remember what is told now; returns the lines of which something else was known.
REMEMBER = """
    UPDATE shop_cartline line
    SET known_price = told.price, known_units = told.units, known_for_sale = told.for_sale
    FROM unnest(%(pks)s::bigint[], %(prices)s::numeric[], %(units)s::int[], %(for_sale)s::boolean[])
        AS told (pk, price, units, for_sale)
    WHERE line.id = told.pk
        AND (line.known_price, line.known_units, line.known_for_sale)
            IS DISTINCT FROM (told.price, told.units, told.for_sale)
    RETURNING line.id
"""


class Kind(StrEnum):
    DEARER = "dearer"
    CHEAPER = "cheaper"
    SOLD_OUT = "sold_out"
    FEWER = "fewer"
    BACK = "back"
    GONE = "gone"
    FOR_SALE_AGAIN = "for_sale_again"


@dataclass(frozen=True, slots=True)
class News:
    """One thing that changed about a line; `before` is the price that was known."""

    kind: Kind
    line: PricedLine
    before: Decimal | None = None

    @property
    def level(self) -> str:
        good = (Kind.CHEAPER, Kind.BACK, Kind.FOR_SALE_AGAIN)
        return "success" if self.kind in good else "warning"


def tell(contents: Contents) -> list[News]:
    """What to tell now, once: whoever asks again is told only what has changed since."""
    lines = [*contents.lines, *contents.saved, *contents.gone]
    changed = [line for line in lines if _known(line) != _now(line)]
    if not changed:
        return []
    ours = _remember(changed)
    return [news for line in changed if line.pk in ours for news in news_of(line)]


def news_of(line: PricedLine) -> Iterator[News]:
    if line.is_for_sale != line.known_for_sale:
        yield News(Kind.FOR_SALE_AGAIN if line.is_for_sale else Kind.GONE, line)
    if not line.is_for_sale:
        return
    if line.known_price is not None and line.unit_price != line.known_price:
        is_dearer = line.unit_price > line.known_price
        yield News(Kind.DEARER if is_dearer else Kind.CHEAPER, line, line.known_price)
    if line.known_units is None or line.units == line.known_units:
        return
    if line.units == 0:
        yield News(Kind.SOLD_OUT, line)
    elif line.units < line.known_units:
        yield News(Kind.FEWER, line)
    elif line.known_units == 0:
        yield News(Kind.BACK, line)


def _known(line: PricedLine) -> tuple[Decimal | None, int | None, bool]:
    return line.known_price, line.known_units, line.known_for_sale


def _now(line: PricedLine) -> tuple[Decimal, int, bool]:
    return line.unit_price, line.units, line.is_for_sale


def _remember(lines: list[PricedLine]) -> set[int]:
    prices, units, for_sale = zip(*map(_now, lines), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            REMEMBER,
            {
                "pks": array(line.pk for line in lines),
                "prices": array(prices),
                "units": array(units),
                "for_sale": array(for_sale),
            },
        )
        return {pk for (pk,) in cursor.fetchall()}
