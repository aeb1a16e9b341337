"""Units that come in, go missing, and move between pools. Promises are made in `reservations`."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import F, Func, IntegerField, Max
from django.db.models.functions import Now

from inventory import reservations
from inventory.models import Stock, StockMovement

Kind = StockMovement.Kind
Result = TypeVar("Result")

#: Units of a row of `inventory_stock stock` that can be promised now. Held reservations past their time are dead.
FREE = """
    stock.on_hand - stock.allocated + coalesce((
        SELECT sum(quantity)::int FROM inventory_reservation
        WHERE stock_id = stock.id AND state = 'held' AND expires_at <= now()
    ), 0)
"""


class NotEnoughStock(Exception):
    """There are fewer free units than this needs; the message says how many are promised."""

    def __init__(self, *, sku: str, pool: str, on_hand: int, promised: int, wanted: int) -> None:
        self.sku, self.pool, self.wanted = sku, pool, wanted
        self.on_hand, self.promised, self.available = on_hand, promised, on_hand - promised
        why = f", because {promised} of its {on_hand} are promised" if promised else ""
        super().__init__(
            f"{sku} has {self.available} free unit{'' if self.available == 1 else 's'} in {pool}"
            f"{why}; {wanted} would be needed."
        )


class CountChanged(Exception):
    """Units came in or were corrected since somebody looked; the message says how many there are now."""

    def __init__(self, stock: Stock) -> None:
        super().__init__(
            f"The count of {stock.sku} was changed meanwhile: {stock.on_hand} are on hand now. If that was you, it is "
            "done; else look again before you change it."
        )


def available(*, skus: Iterable[str], pool: str = Stock.MAIN) -> dict[str, int]:
    """Units that can be promised now, per SKU; 0 for a SKU without stock.

    Held reservations past their time are dead and count as free here, whether or not they were tidied.
    """
    skus = list(skus)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sku, {FREE} FROM inventory_stock stock WHERE pool = %s AND sku = ANY(%s)",  # noqa: S608 -- our own constant, here and below
            [pool, skus],
        )
        return dict.fromkeys(skus, 0) | dict(cursor.fetchall())


def available_of(sku: str) -> Func:
    """What `available` says of the main pool, as a column of another query; `sku` is the path to its SKU there."""
    found = f"SELECT {FREE} FROM inventory_stock stock WHERE stock.pool = '{Stock.MAIN}'"  # noqa: S608
    template = f"coalesce(({found} AND stock.sku = %(expressions)s), 0)"
    return Func(F(sku), template=template, output_field=IntegerField())


def receive(
    *,
    sku: str,
    quantity: int,
    pool: str = Stock.MAIN,
    reason: str = "",
    actor: str = "",
    seen: int | None = None,
) -> Stock:
    """Add units that arrived; the stock row is made when it is new. `actor` is who did it.

    Raises:
        CountChanged: `last_count` does not say `seen` any more, so a form that is sent twice counts once.
    """
    if quantity < 0:
        raise ValueError("Units received cannot be negative.")
    with transaction.atomic():
        stock, _ = Stock.objects.get_or_create(sku=sku, pool=pool)
        _compare(stock, seen)
        _change(stock, quantity, kind=Kind.RECEIVE, reason=reason, actor=actor)
        stock.refresh_from_db()
        return stock


def adjust(
    *,
    sku: str,
    change: int,
    reason: str,
    pool: str = Stock.MAIN,
    actor: str = "",
    seen: int | None = None,
) -> None:
    """Correct the count by `change` units (shrinkage is negative). `actor` is who did it.

    Raises:
        CountChanged: as of `receive`.
        NotEnoughStock: fewer units would be on hand than are promised.
    """

    def correct() -> None:
        with transaction.atomic():
            stock = Stock.objects.get(sku=sku, pool=pool)
            _compare(stock, seen)
            _change(stock, change, kind=Kind.ADJUST, reason=reason, actor=actor)

    _without_dead_holds(correct, sku=sku, pool=pool)


def last_count(stock: Stock) -> int:
    """The last movement by which units came in or were corrected, by its id; 0 before the first."""
    counted = StockMovement.objects.filter(stock=stock, kind__in=[Kind.RECEIVE, Kind.ADJUST])
    return counted.aggregate(last=Max("pk"))["last"] or 0


def _compare(stock: Stock, seen: int | None) -> None:
    if seen is None:
        return
    # Held until the end, so that of two who saw the same the second one sees what the first one did.
    row = Stock.objects.select_for_update(no_key=True).get(pk=stock.pk)
    if last_count(row) != seen:
        raise CountChanged(row)


def transfer(
    *, sku: str, quantity: int, source: str, target: str, reason: str, actor: str = ""
) -> Stock:
    """Move free units from one pool to another and return the target row. `actor` is who did it.

    Raises:
        NotEnoughStock: the source has fewer free units.
    """

    def move() -> Stock:
        with transaction.atomic():
            rows = {
                pool: Stock.objects.get_or_create(sku=sku, pool=pool)[0]
                for pool in sorted((source, target))
            }
            for pool, row in sorted(rows.items()):
                change = -quantity if pool == source else quantity
                _change(row, change, kind=Kind.TRANSFER, reason=reason, actor=actor)
            rows[target].refresh_from_db()
            return rows[target]

    return _without_dead_holds(move, sku=sku, pool=source)


def return_free_units(*, sku: str, source: str, reason: str) -> int:
    """Move whatever is free in `source` to the main pool; return how many units that was.

    Repeating it moves what came free since, so no unit is moved twice. When somebody takes a unit between
    the look and the move, nothing moves; the next call finds the rest.
    """
    free = sum(row.available for row in Stock.objects.filter(sku=sku, pool=source))
    if free == 0:
        return 0
    try:
        transfer(sku=sku, quantity=free, source=source, target=Stock.MAIN, reason=reason)
    except NotEnoughStock:
        return 0
    return free


def _without_dead_holds(change: Callable[[], Result], *, sku: str, pool: str) -> Result:
    """Make the change; when promises stand in its way, let the dead ones among them go and try again."""
    while True:
        try:
            return change()
        except NotEnoughStock:
            rows = Stock.objects.filter(sku=sku, pool=pool)
            if not reservations.expire(stock_ids=list(rows.values_list("pk", flat=True))):
                raise


def _change(stock: Stock, change: int, *, kind: Kind, reason: str, actor: str) -> None:
    changed = Stock.objects.filter(pk=stock.pk, on_hand__gte=F("allocated") - change).update(
        on_hand=F("on_hand") + change, version=F("version") + 1, updated_at=Now()
    )
    if not changed:
        stock.refresh_from_db()
        raise NotEnoughStock(
            sku=stock.sku,
            pool=stock.pool,
            on_hand=stock.on_hand,
            promised=stock.allocated,
            wanted=-change,
        )
    if change:
        StockMovement.objects.create(
            stock=stock, kind=kind, on_hand_change=change, reason=reason[:200], actor=actor
        )
