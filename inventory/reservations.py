"""Promises of units: reserve, extend, confirm, retake, release, consume, expire. Batches of promises are in `batches`.

Doctrine. A counter changes by one UPDATE that carries its condition; a row count of 0 is the refusal. Rows
are taken in one order: reservations, holdings (scope, holder), stock (SKU, pool); hot stock rows come last. A held
reservation past `expires_at` on the database's clock is dead wherever it is read. Every function joins the
caller's transaction or opens its own, and is safe to repeat.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from inventory import holdings
from inventory.allocation import allocate
from inventory.models import Reservation, Stock, StockMovement

State = Reservation.State
Kind = StockMovement.Kind


@dataclass(frozen=True, slots=True)
class Want:
    """Units of a SKU that somebody wants from a pool."""

    sku: str
    quantity: int
    pool: str = Stock.MAIN


@dataclass(frozen=True, slots=True)
class Shortage:
    """What there was instead of what was wanted."""

    sku: str
    wanted: int
    available: int


@dataclass(frozen=True, slots=True)
class Held:
    """Every want was met."""

    reservations: list[Reservation]


@dataclass(frozen=True, slots=True)
class Short:
    """Nothing was taken, because of these."""

    shortages: list[Shortage]


class _ShortError(Exception):
    def __init__(self, shortages: list[Shortage]) -> None:
        self.shortages = shortages


def reserve(
    *, key: UUID, wants: Sequence[Want], holder: str, seconds: int, tidies: bool = True
) -> Held | Short:
    """Hold all of `wants` for `seconds`, or nothing. The same key again returns what it holds already.

    Whoever would go without has dead holds tidied away first. In a caller's own transaction that would take
    stock rows out of their order, and two carts could wait for one another: there, say `tidies=False`, and
    on `Short` call `expire_of` after the transaction and try again.
    """
    for attempt in ("first", "after the dead are tidied away"):
        existing = list(Reservation.objects.filter(key=key).select_related("stock"))
        if existing:
            return Held(existing)
        try:
            with transaction.atomic():
                return Held(_hold(key=key, wants=wants, holder=holder, seconds=seconds))
        except IntegrityError:
            # The same key came twice at once, and the other one has just committed.
            return Held(list(Reservation.objects.filter(key=key).select_related("stock")))
        except _ShortError as short:
            shortages = short.shortages
            skus = [want.sku for want in wants]
            if not tidies or (attempt == "first" and not expire_of(skus=skus)):
                break
    return Short(shortages)


def _hold(*, key: UUID, wants: Sequence[Want], holder: str, seconds: int) -> list[Reservation]:
    stocks: list[tuple[Stock, int]] = []
    shortages: list[Shortage] = []
    for want in sorted(wants, key=lambda want: (want.sku, want.pool)):
        stock = Stock.objects.filter(sku=want.sku, pool=want.pool).first()
        if stock is None or not allocate(stock_id=stock.pk, units=want.quantity):
            if stock is not None:
                stock.refresh_from_db()  # what is left after those who came first
            free = stock.available if stock else 0
            shortages.append(Shortage(sku=want.sku, wanted=want.quantity, available=free))
        else:
            stocks.append((stock, want.quantity))
    if shortages:
        raise _ShortError(shortages)
    StockMovement.objects.bulk_create(
        StockMovement(
            stock=stock,
            kind=Kind.ALLOCATE,
            allocated_change=quantity,
            reservations=1,
        )
        for stock, quantity in stocks
    )
    return Reservation.objects.bulk_create(
        Reservation(
            key=key,
            stock=stock,
            quantity=quantity,
            holder=holder,
            expires_at=Now() + timedelta(seconds=seconds),
        )
        for stock, quantity in stocks
    )


def confirm(*, reservation_ids: Iterable[UUID]) -> bool:
    """Turn live holds into confirmed ones: all of them, or none and False. Repeating it is a success."""
    with transaction.atomic():
        rows = _locked(reservation_ids)
        dead = _ids_held_past_time(rows)
        if any(
            row.state not in (State.HELD, State.CONFIRMED, State.CONSUMED) or row.pk in dead
            for row in rows
        ):
            return False
        _set_state([row for row in rows if row.state == State.HELD], State.CONFIRMED)
        return bool(rows)


def retake(*, reservation_ids: Iterable[UUID]) -> bool:
    """Confirm reservations whose time is over, if their units can still be had: all of them, or none.

    A dead hold that nobody has tidied still has its unit; one that was expired or released takes a free
    unit, within the holder's limit.
    """
    try:
        with transaction.atomic():
            rows = _locked(reservation_ids)
            gone = [row for row in rows if row.state in (State.EXPIRED, State.RELEASED)]
            for row in gone:
                if row.scope and not holdings.recount(
                    scope=row.scope, holder=row.holder, units=row.quantity
                ):
                    raise _ShortError([])
            for stock_id, units, count in _per_stock(gone):
                if not allocate(stock_id=stock_id, units=units):
                    raise _ShortError([])
                _record(
                    stock_id=stock_id,
                    kind=Kind.ALLOCATE,
                    allocated=units,
                    reservations=count,
                    reason="taken again after its time",
                )
            _set_state(gone, State.CONFIRMED)
            _set_state([row for row in rows if row.state == State.HELD], State.CONFIRMED)
            return bool(rows)
    except _ShortError:
        return False


def let_go(*, reservation_ids: Iterable[UUID], reason: str) -> int:
    """Give held units back, and never confirmed ones; return how many reservations that changed."""
    with transaction.atomic():
        rows = [row for row in _locked(reservation_ids) if row.state == State.HELD]
        _give_back(rows, state=State.RELEASED, reason=reason)
        return len(rows)


def hold_still(*, reservation_ids: Iterable[UUID]) -> None:
    """Keep reservations as they are for the rest of the caller's transaction."""
    _locked(reservation_ids)


def release(*, reservation_ids: Iterable[UUID], reason: str) -> int:
    """Give held or confirmed units back, exactly once; return how many reservations that changed."""
    with transaction.atomic():
        rows = [row for row in _locked(reservation_ids) if row.state in Reservation.ALLOCATING]
        _give_back(rows, state=State.RELEASED, reason=reason)
        return len(rows)


def release_units(*, units: Mapping[UUID, int], reason: str) -> bool:
    """Give back so many units of each reservation, held or confirmed: all of them, or none and False.

    A reservation that gives its last unit back is released; another goes on with fewer. Not safe to repeat
    by itself: who calls it records in the same transaction that it is done.
    """
    with transaction.atomic():
        rows = _locked(units)
        if len(rows) != len(units) or any(
            row.state not in Reservation.ALLOCATING or not 0 < units[row.pk] <= row.quantity
            for row in rows
        ):
            return False
        _set_state([row for row in rows if units[row.pk] == row.quantity], State.RELEASED)
        for row in rows:
            if units[row.pk] < row.quantity:
                Reservation.objects.filter(pk=row.pk).update(quantity=F("quantity") - units[row.pk])
                row.quantity = units[row.pk]  # what `_take_off` is about
        _take_off(rows, reason=reason)
        return True


def consume(*, reservation_ids: Iterable[UUID]) -> int:
    """The confirmed units left the building; return how many reservations that changed."""
    with transaction.atomic():
        rows = [row for row in _locked(reservation_ids) if row.state == State.CONFIRMED]
        _set_state(rows, State.CONSUMED)
        for stock_id, units, count in _per_stock(rows):
            Stock.objects.filter(pk=stock_id).update(
                on_hand=F("on_hand") - units,
                allocated=F("allocated") - units,
                version=F("version") + 1,
                updated_at=Now(),
            )
            _record(
                stock_id=stock_id,
                kind=Kind.CONSUME,
                on_hand=-units,
                allocated=-units,
                reservations=count,
            )
        return len(rows)


def extend(*, reservation_ids: Iterable[UUID], seconds: int) -> bool:
    """Let live holds end `seconds` later, once in their life: all of them, or none and False."""
    with transaction.atomic():
        # Two clicks wait for one another here; the second one finds `extended_at` set.
        rows = _locked(reservation_ids)
        dead = _ids_held_past_time(rows)
        if not rows or any(
            row.state != State.HELD or row.pk in dead or row.extended_at is not None for row in rows
        ):
            return False
        Reservation.objects.filter(pk__in=[row.pk for row in rows]).update(
            expires_at=F("expires_at") + timedelta(seconds=seconds), extended_at=Now()
        )
        return True


def expire(*, limit: int = 500, stock_ids: Sequence[int] | None = None) -> int:
    """Tidy at most `limit` dead holds away, of all stock or of some; return how many there were.

    Rows that somebody else works on (a payment being confirmed, another tidier) are skipped.
    """
    dead = Reservation.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        state=State.HELD, expires_at__lte=Now()
    )
    dead = dead.select_related("stock")
    if stock_ids is not None:
        dead = dead.filter(stock_id__in=stock_ids)
    with transaction.atomic():
        rows = list(dead.order_by("expires_at")[:limit])
        _give_back(rows, state=State.EXPIRED, reason="not paid in time")
        return len(rows)


def expire_of(*, skus: Sequence[str]) -> int:
    """`expire` for the stock of these SKUs; return how many dead holds there were."""
    ids = Stock.objects.filter(sku__in=skus).values_list("pk", flat=True)
    return expire(stock_ids=list(ids))


def _locked(reservation_ids: Iterable[UUID]) -> list[Reservation]:
    ids = list(reservation_ids)
    rows = Reservation.objects.select_for_update(of=("self",)).select_related("stock")
    return list(rows.filter(pk__in=ids).order_by("pk"))


def _ids_held_past_time(rows: Sequence[Reservation]) -> set[UUID]:
    return set(
        Reservation.objects.filter(
            pk__in=[row.pk for row in rows], state=State.HELD, expires_at__lte=Now()
        ).values_list("pk", flat=True)
    )


def _set_state(rows: Sequence[Reservation], state: State) -> None:
    if rows:
        Reservation.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=state, settled_at=Now()
        )


def _per_stock(rows: Sequence[Reservation]) -> list[tuple[int, int, int]]:
    """(stock id, units, reservations) for each stock row, in the order in which rows are taken."""
    units: Counter[int] = Counter()
    counts: Counter[int] = Counter()
    for row in sorted(rows, key=lambda row: (row.stock.sku, row.stock.pool)):
        units[row.stock_id] += row.quantity
        counts[row.stock_id] += 1
    return [(stock_id, units[stock_id], counts[stock_id]) for stock_id in units]


def _give_back(rows: Sequence[Reservation], *, state: State, reason: str) -> None:
    if not rows:
        return
    _set_state(rows, state)
    _take_off(rows, reason=reason)


def _take_off(rows: Sequence[Reservation], *, reason: str) -> None:
    """Their units are not promised any more: neither to the holders, nor in the stock."""
    holdings.uncount([(row.scope, row.holder, row.quantity) for row in rows if row.scope])
    for stock_id, units, count in _per_stock(rows):
        _deallocate(stock_id=stock_id, units=units)
        _record(
            stock_id=stock_id,
            kind=Kind.CANCEL,
            allocated=-units,
            reservations=count,
            reason=reason,
        )


def _deallocate(*, stock_id: int, units: int) -> None:
    Stock.objects.filter(pk=stock_id).update(
        allocated=F("allocated") - units, version=F("version") + 1, updated_at=Now()
    )


def _record(
    *,
    stock_id: int,
    kind: Kind,
    allocated: int,
    reservations: int,
    on_hand: int = 0,
    reason: str = "",
) -> None:
    StockMovement.objects.create(
        stock_id=stock_id,
        kind=kind,
        on_hand_change=on_hand,
        allocated_change=allocated,
        reservations=reservations,
        reason=reason[:200],
    )
