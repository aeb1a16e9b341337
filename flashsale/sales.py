"""Sales: what they are at a moment, and what a merchant does with them.

Hot paths read a `SaleInfo`, a frozen copy that each process keeps for a second, so that a crowd costs
PostgreSQL one query a second and process.
"""

import hashlib
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from flashsale.models import Sale, SaleItem
from inventory import stock
from inventory.models import Stock

log = logging.getLogger(__name__)

Status = Sale.Status
QueueMode = Sale.QueueMode
Strategy = Sale.Strategy

#: Seconds for which a process keeps its copy of a sale.
COPY_SECONDS = 1.0
#: Seconds for which a copy is taken all the same while somebody looks, and between two looks while PostgreSQL is away.
LOOK_SECONDS = 6.0


class Phase(StrEnum):
    """What a shopper meets. Periods are half open: `opens_at <= now < closes_at`."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    LOBBY = "lobby"
    OPEN = "open"
    PAUSED = "paused"
    SOLD_OUT = "sold_out"
    ENDED = "ended"
    CANCELLED = "cancelled"


class NotPossible(Exception):
    """The sale is not in a state that allows this; the message says which."""


@dataclass(frozen=True, slots=True)
class ItemInfo:
    id: int
    sku: str
    name: str
    price: Decimal
    compare_at_price: Decimal | None
    units: int
    stock_id: int | None


@dataclass(frozen=True, slots=True)
class SaleInfo:
    id: int
    slug: str
    name: str
    status: str
    queue_mode: str
    strategy: str
    fallback: str
    lobby_opens_at: datetime
    opens_at: datetime
    closes_at: datetime
    limit: int
    hold_seconds: int
    admission_cap: int
    admissions_per_minute: int | None
    admission_seconds: int
    seed: str
    seed_commitment: str
    items: tuple[ItemInfo, ...]

    @property
    def scope(self) -> str:
        """Where the limit per shopper counts."""
        return pool_name(self.id)

    @property
    def has_line(self) -> bool:
        return self.queue_mode != QueueMode.NONE

    @property
    def stock_ids(self) -> list[int]:
        return [item.stock_id for item in self.items if item.stock_id is not None]

    def item(self, item_id: int) -> ItemInfo | None:
        return next((item for item in self.items if item.id == item_id), None)


def pool_name(sale_id: int) -> str:
    """The pool of a sale's ring-fenced units, and the scope of its limit."""
    return f"sale:{sale_id}"


def describe(sale: Sale) -> SaleInfo:
    """A frozen copy of a sale and its items, in one query."""
    return describe_all([sale])[0]


def describe_all(sales: Sequence[Sale]) -> list[SaleInfo]:
    """`describe` for many, still in one query."""
    items: dict[int, list[SaleItem]] = defaultdict(list)
    for item in SaleItem.objects.filter(sale__in=sales).select_related("variant__product"):
        items[item.sale_id].append(item)
    return [_copy(sale, items[sale.pk]) for sale in sales]


def _copy(sale: Sale, items: Sequence[SaleItem]) -> SaleInfo:
    return SaleInfo(
        id=sale.pk,
        slug=sale.slug,
        name=sale.name,
        status=sale.status,
        queue_mode=sale.queue_mode,
        strategy=sale.strategy,
        fallback=sale.fallback,
        lobby_opens_at=sale.lobby_opens_at,
        opens_at=sale.opens_at,
        closes_at=sale.closes_at,
        limit=sale.limit_per_shopper,
        hold_seconds=sale.hold_seconds,
        admission_cap=sale.admission_cap,
        admissions_per_minute=sale.admissions_per_minute,
        admission_seconds=sale.admission_seconds,
        seed=sale.seed,
        seed_commitment=sale.seed_commitment,
        items=tuple(
            ItemInfo(
                id=item.pk,
                sku=item.variant.sku,
                name=item.variant.full_name,
                price=item.price,
                compare_at_price=_compare_at(item),
                units=item.units,
                stock_id=item.stock_id,
            )
            for item in items
        ),
    )


def _compare_at(item: SaleItem) -> Decimal | None:
    usual = item.variant.price
    return usual if usual > item.price else None


#: By slug: until when a copy is taken as it is, and the copy; None: no such sale.
_copies: dict[str, tuple[float, SaleInfo | None]] = {}


def find(slug: str) -> SaleInfo | None:
    """This process's copy of a sale that shoppers may see, at most `COPY_SECONDS` old while PostgreSQL answers.

    While it does not, the last copy stands: joining, entering and clicks on Buy go on by that and Redis.
    """
    now, known = time.monotonic(), _copies.get(slug)
    if known is not None:
        if now < known[0]:
            return known[1]
        if now < known[0] + LOOK_SECONDS:
            # In a crowd one looks, and the others go on: the look may take its time, or fail.
            _copies[slug] = (now + LOOK_SECONDS, known[1])
    try:
        sale = Sale.objects.exclude(status=Status.DRAFT).filter(slug=slug).first()
        found = describe(sale) if sale else None
    except (OperationalError, InterfaceError):
        if known is None:
            raise
        log.exception("PostgreSQL is away: %s goes on as it was", slug)
        _copies[slug] = (time.monotonic() + LOOK_SECONDS, known[1])
        return known[1]
    if sale is None and len(_copies) > 1000:
        _copies.clear()  # names that somebody made up must not fill the memory
    _copies[slug] = (time.monotonic() + COPY_SECONDS, found)
    return found


def forget_copies() -> None:
    """Drop this process's copies: it has just changed a sale."""
    _copies.clear()


class Timetable(Protocol):
    """What the phase follows from: a `SaleInfo`, or a `Sale`."""

    @property
    def status(self) -> str: ...
    @property
    def queue_mode(self) -> str: ...
    @property
    def lobby_opens_at(self) -> datetime: ...
    @property
    def opens_at(self) -> datetime: ...
    @property
    def closes_at(self) -> datetime: ...


def phase_by_clock(sale: Timetable, *, now: datetime) -> Phase:
    """The phase as far as status and clock decide it; only stock can make an open sale sold out."""
    if sale.status in (Status.DRAFT, Status.CANCELLED, Status.ENDED):
        return Phase(sale.status)
    if now >= sale.closes_at:
        return Phase.ENDED
    if sale.status == Status.PAUSED:
        return Phase.PAUSED
    if now >= sale.opens_at:
        return Phase.OPEN
    if sale.queue_mode != QueueMode.NONE and now >= sale.lobby_opens_at:
        return Phase.LOBBY
    return Phase.SCHEDULED


def is_current(sale: Timetable) -> bool:
    """Whether the sale is still to come or running: its keys in Redis are kept without an end."""
    return sale.status in (Status.SCHEDULED, Status.PAUSED)


def phase(sale: SaleInfo, *, now: datetime, units_left: int, units_held: int) -> Phase:
    """The phase. Sold out means that nothing is free and nothing held could come back."""
    by_clock = phase_by_clock(sale, now=now)
    if by_clock is Phase.OPEN and units_left == 0 and units_held == 0:
        return Phase.SOLD_OUT
    return by_clock


@dataclass(frozen=True, slots=True)
class Units:
    """Where a sale's units are, by PostgreSQL. Dead holds count as left."""

    left: int
    held: int
    sold: int
    left_by_item: dict[int, int]


def count_units(sale: SaleInfo) -> Units:
    """Count a sale's units in one query."""
    return count_units_of([sale])[sale.id]


def count_units_of(sales: Sequence[SaleInfo]) -> dict[int, Units]:
    """`count_units` for many, by sale, still in one query, and in none for none."""
    if not sales:
        return {}
    rows = Stock.objects.raw(
        """
        SELECT stock.id, stock.sku, stock.on_hand, stock.allocated, count.held, count.dead, count.sold
        FROM inventory_stock stock
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(quantity) FILTER (WHERE state = 'held' AND expires_at > now()), 0)::int
                    AS held,
                coalesce(sum(quantity) FILTER (WHERE state = 'held' AND expires_at <= now()), 0)::int
                    AS dead,
                coalesce(sum(quantity) FILTER (WHERE state IN ('confirmed', 'consumed')), 0)::int
                    AS sold
            FROM inventory_reservation WHERE stock_id = stock.id
        ) count ON true
        WHERE stock.id = ANY(%s)
        """,
        [[stock_id for sale in sales for stock_id in sale.stock_ids]],
    )
    by_stock: dict[int | None, Stock] = {row.pk: row for row in rows}
    return {sale.id: _sum_up(sale, by_stock) for sale in sales}


def _sum_up(sale: SaleInfo, by_stock: Mapping[int | None, Stock]) -> Units:
    own = [by_stock[stock_id] for stock_id in sale.stock_ids if stock_id in by_stock]
    left = {
        item.id: by_stock[item.stock_id].available + by_stock[item.stock_id].dead  # type: ignore[attr-defined]  # annotated by the query
        if item.stock_id in by_stock
        else 0
        for item in sale.items
    }
    return Units(
        left=sum(left.values()),
        held=sum(row.held for row in own),  # type: ignore[attr-defined]  # as above
        sold=sum(row.sold for row in own),  # type: ignore[attr-defined]  # as above
        left_by_item=left,
    )


def new_seed() -> tuple[str, str]:
    """A secret seed for a draw and the SHA-256 that commits to it, both in hexadecimal."""
    seed = secrets.token_hex(32)
    return seed, hashlib.sha256(seed.encode()).hexdigest()


def schedule(sale: Sale) -> None:
    """Ring-fence the units, commit to a seed, and show the sale.

    Raises:
        NotPossible: it is no draft, has no items, or its times are past.
        inventory.stock.NotEnoughStock: the main pool has fewer free units than an item needs.
    """
    if sale.closes_at <= timezone.now():
        raise NotPossible("The sale would close in the past: choose later times.")
    with transaction.atomic():
        # Sorted here: the database's collation may have another order of SKUs than those who reserve.
        items = sorted(sale.items.select_related("variant"), key=lambda item: item.variant.sku)
        if not items:
            raise NotPossible("A sale needs at least one item.")
        seed, commitment = new_seed()
        _change_status(
            sale,
            sources=[Status.DRAFT],
            target=Status.SCHEDULED,
            seed=seed,
            seed_commitment=commitment,
        )
        for item in items:
            item.stock = stock.transfer(
                sku=item.variant.sku,
                quantity=item.units,
                source=Stock.MAIN,
                target=pool_name(sale.pk),
                reason=f"ring-fenced for {sale.slug}",
            )
            item.save(update_fields=["stock"])


def pause(sale: Sale) -> None:
    """Stop claims and the line; what is held or queued goes on."""
    _change_status(sale, sources=[Status.SCHEDULED], target=Status.PAUSED)


def resume(sale: Sale) -> None:
    """Go on after a pause."""
    _change_status(sale, sources=[Status.PAUSED], target=Status.SCHEDULED)


def end(sale: Sale) -> None:
    """End before the time. Holds may still be paid; free units go back to the main pool."""
    _change_status(sale, sources=[Status.SCHEDULED, Status.PAUSED], target=Status.ENDED)
    return_units(sale)


def cancel(sale: Sale) -> None:
    """Call the sale off. What was promised stays promised: holds may still be paid."""
    _change_status(
        sale, sources=[Status.DRAFT, Status.SCHEDULED, Status.PAUSED], target=Status.CANCELLED
    )
    return_units(sale)


def close_due(*, now: datetime) -> list[Sale]:
    """End the sales whose time is over, and return units that came free in ended ones."""
    due = Sale.objects.filter(status__in=[Status.SCHEDULED, Status.PAUSED], closes_at__lte=now)
    ended = [
        sale
        for sale in due
        if Sale.objects.filter(pk=sale.pk, status=sale.status).update(status=Status.ENDED)
    ]
    with_free_units = Sale.objects.filter(
        status__in=[Status.ENDED, Status.CANCELLED],
        items__stock__on_hand__gt=F("items__stock__allocated"),
    )
    for sale in with_free_units.distinct():
        return_units(sale)
    return ended


def return_units(sale: Sale) -> int:
    """Give the free units of an ended sale back to the main pool; repeating it moves nothing twice.

    The units of a rehearsal never existed: they are written off instead.
    """
    if sale.is_rehearsal:
        return _write_off(sale)
    return sum(
        stock.return_free_units(
            sku=sku, source=pool_name(sale.pk), reason=f"left over from {sale.slug}"
        )
        for sku in sale.items.exclude(stock=None)
        .order_by("stock__sku")
        .values_list("stock__sku", flat=True)
    )


def _write_off(sale: Sale) -> int:
    units = 0
    for row in Stock.objects.filter(pool=pool_name(sale.pk), on_hand__gt=F("allocated")):
        with suppress(stock.NotEnoughStock):  # taken in between: the next call finds the rest
            stock.adjust(
                sku=row.sku, pool=row.pool, change=-row.available, reason=f"{sale.slug} is over"
            )
            units += row.available
    return units


def _change_status(
    sale: Sale, *, sources: list[Sale.Status], target: Sale.Status, **fields: str
) -> None:
    changed = Sale.objects.filter(pk=sale.pk, status__in=sources).update(status=target, **fields)
    sale.refresh_from_db()
    forget_copies()
    if not changed:
        raise NotPossible(
            f"{sale.name} is {sale.get_status_display().lower()}, so it cannot become "
            f"{Status(target).label.lower()}."
        )
