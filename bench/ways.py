"""How one client takes one unit: the shop's three strategies, and two ways that the shop does not have."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from flashsale import buying, sales
from flashsale.buying import Accepted
from flashsale.models import Purchase
from flashsale.purchases import State
from flashsale.sales import SaleInfo
from inventory import allocation
from inventory.models import Reservation, Stock, StockMovement

#: Seconds between two looks of a process for purchases that were settled: what a client's time may be too long by.
LOOK_SECONDS = 0.005
#: The naive way's own tables: the shop's would refuse with their constraints.
SCRATCH = """
    DROP TABLE IF EXISTS bench_stock, bench_hold;
    CREATE TABLE bench_stock (sale text PRIMARY KEY, on_hand int NOT NULL, allocated int NOT NULL);
    CREATE TABLE bench_hold (id uuid PRIMARY KEY, sale text NOT NULL, shopper uuid NOT NULL);
"""


@dataclass(frozen=True)
class Way:
    buy: Callable[[UUID], str]
    retries: Callable[[], int] = lambda: 0


@contextmanager
def named(name: str, *, sale_slug: str) -> Iterator[Way]:
    sale = sales.find(sale_slug)
    assert sale is not None
    match name:
        case "redis":
            with watching() as wait_until_held:
                yield Way(buy=lambda shopper: _buy(sale, shopper, wait_until_held))
        case "lock" | "version":
            with _counting_pauses() as pauses:
                yield Way(buy=lambda shopper: _buy(sale, shopper), retries=lambda: len(pauses))
        case "select_for_update":
            yield Way(buy=lambda shopper: _select_for_update(sale, shopper))
        case "naive":
            yield Way(buy=lambda shopper: _read_then_write(sale, shopper))
        case _:
            raise ValueError(name)


def _buy(sale: SaleInfo, shopper: UUID, wait: Callable[[UUID], bool] = lambda _: True) -> str:
    """A click on Buy as the shop's own views pass it on, until the unit is held."""
    result = buying.buy(
        sale=sale,
        shopper=shopper,
        item=sale.items[0].id,
        quantity=1,
        attempt="bench",
        now=timezone.now(),
    )
    if isinstance(result, Accepted):
        return "held" if result.state is State.HELD or wait(result.purchase) else "refused"
    return str(result.reason)


@contextmanager
def watching() -> Iterator[Callable[[UUID], bool]]:
    """How to wait for a purchase. One thread looks for everybody's: as many as clients would be a load of their own."""
    awaited: dict[UUID, threading.Event] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(LOOK_SECONDS):
            known = list(awaited)
            if known:
                for purchase in Purchase.objects.filter(pk__in=known).values_list("pk", flat=True):
                    awaited.pop(purchase).set()
        connection.close()

    def wait_until_held(purchase: UUID) -> bool:
        event = awaited.setdefault(purchase, threading.Event())
        return event.wait(timeout=30)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wait_until_held
    finally:
        stop.set()
        thread.join()


@contextmanager
def _counting_pauses() -> Iterator[list[int]]:
    """`version` pauses before it tries again: so many pauses, so many retries."""
    pauses: list[int] = []
    pause = allocation.pause

    def counted(attempt: int) -> None:
        pauses.append(attempt)
        pause(attempt)

    allocation.pause = counted
    try:
        yield pauses
    finally:
        allocation.pause = pause


def _select_for_update(sale: SaleInfo, shopper: UUID) -> str:
    """What the purchase queue replaces: a lock of the stock row a purchase, with no limit per shopper to keep."""
    with transaction.atomic():
        row = Stock.objects.select_for_update().get(pool=sale.scope)
        if row.available < 1:
            return "sold_out"
        Stock.objects.filter(pk=row.pk).update(allocated=F("allocated") + 1)
        known = uuid4()
        Reservation.objects.create(
            id=known,
            key=known,
            stock=row,
            quantity=1,
            holder=str(shopper),
            expires_at=timezone.now() + timedelta(hours=1),
        )
        StockMovement.objects.create(
            stock=row, kind=StockMovement.Kind.ALLOCATE, allocated_change=1, reservations=1
        )
        Purchase.objects.create(
            id=known,
            sale_id=sale.id,
            item_id=sale.items[0].id,
            shopper_id=shopper,
            quantity=1,
            unit_price=sale.items[0].price,
            reservation_id=known,
            claimed_at=timezone.now(),
        )
    return "held"


def _read_then_write(sale: SaleInfo, shopper: UUID) -> str:
    """Read what is left, then write one more than was read: what a shop does that thinks of one shopper."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT on_hand, allocated FROM bench_stock WHERE sale = %s", [sale.slug])
        on_hand, allocated = cursor.fetchone()
        if allocated >= on_hand:
            return "sold_out"
        cursor.execute(
            "UPDATE bench_stock SET allocated = %s WHERE sale = %s", [allocated + 1, sale.slug]
        )
        cursor.execute("INSERT INTO bench_hold VALUES (%s, %s, %s)", [uuid4(), sale.slug, shopper])
    return "held"


def make_scratch_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SCRATCH)


def stock_scratch_table(sale: SaleInfo, *, units: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_stock VALUES (%s, %s, 0)", [sale.slug, units])


def promised(sale: SaleInfo, *, naive: bool) -> int:
    """Units that were promised, counted from the promises themselves."""
    with connection.cursor() as cursor:
        if naive:
            cursor.execute("SELECT count(*) FROM bench_hold WHERE sale = %s", [sale.slug])
        else:
            cursor.execute(
                "SELECT coalesce(sum(quantity), 0) FROM inventory_reservation"
                " WHERE stock_id = %s AND state = 'held'",
                [sale.items[0].stock_id],
            )
        return int(cursor.fetchone()[0])
