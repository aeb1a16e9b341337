"""How the audit fares when a shop has grown: `python -m bench.growth`, on servers of its own, erased afterwards.

It prints the seconds of each check, and at full size writes the table of docs/performance.md. The rows are made by SQL
and agree with one another, so that each check reads all that it has to read: a check that finds breaches stops early.
MOVEMENTS and RESERVATIONS say how many (ten million each); EXPLAIN=1 prints the plans.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from config import embedded

HOME = Path(__file__).resolve().parent.parent / "var" / "growth"
#: SKUs in the main pool and, as many of them, sales of one item each. Half of all reservations are a sale's.
SKUS, SALES = 1000, 200
#: Rows of each of the two tables.
FULL = 10_000_000

#: Foreign keys and the ledger's trigger are off: what is referred to is made later, or not needed.
PREPARE = (
    "SET session_replication_role = replica",
    # A shop that is not growing any more: the log is of no interest, and flushing it is not what is measured.
    "SET synchronous_commit = off",
    "SET work_mem = '256MB'",
)
#: In this order, and sorted: rows that come in the order of their indexes are written much faster.
FILL = (
    # The main pool's, mostly shipped long ago.
    """
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at, created_at, settled_at)
    SELECT id, id, 1 + n %% %(skus)s, 1, id::text, '',
        CASE WHEN n %% 10 = 0 THEN 'expired' WHEN n %% 100 = 1 THEN 'confirmed' ELSE 'consumed' END,
        now(), now(), now()
    FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %(reservations)s / 2) n) made
    ORDER BY made.id
    """,
    # The sales', half of them held, each by a shopper of their own.
    """
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at, created_at)
    SELECT made.id, made.id, item.stock_id, 1, made.id::text, 'sale:' || item.id,
        CASE WHEN n %% 2 = 0 THEN 'held' ELSE 'expired' END, now() + interval '1 day', now()
    FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, %(reservations)s / 2) n) made
    JOIN flashsale_saleitem item ON item.id = 1 + n %% %(sales)s
    ORDER BY made.id
    """,
    """
    INSERT INTO flashsale_purchase (id, sale_id, item_id, shopper_id, quantity, unit_price, refusal,
        reservation_id, claimed_at, settled_at)
    SELECT reservation.id, item.sale_id, item.id, reservation.holder::uuid, 1, item.price, '',
        reservation.id, now(), now()
    FROM inventory_reservation reservation JOIN flashsale_saleitem item USING (stock_id)
    ORDER BY reservation.id
    """,
    """
    INSERT INTO inventory_holding (scope, holder, units, limit_units)
    SELECT scope, holder, 1, 1 FROM inventory_reservation WHERE scope <> '' AND state = 'held'
    ORDER BY scope, holder
    """,
    # What was promised and let go again; and then one movement a stock row that makes the counters.
    """
    INSERT INTO inventory_stockmovement
        (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor, created_at)
    SELECT 1 + (n / 2) %% (%(skus)s + %(sales)s), CASE n %% 2 WHEN 0 THEN 'allocate' ELSE 'cancel' END, 0,
        CASE n %% 2 WHEN 0 THEN 1 ELSE -1 END, 1, '', '', now()
    FROM generate_series(2, %(movements)s / 2 * 2 + 1) n
    """,
    """
    UPDATE inventory_stock stock SET allocated = live.units, on_hand = live.units + 10
    FROM (
        SELECT stock_id, count(*) FILTER (WHERE state IN ('held', 'confirmed')) AS units
        FROM inventory_reservation GROUP BY stock_id
    ) live WHERE live.stock_id = stock.id
    """,
    """
    INSERT INTO inventory_stockmovement
        (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor, created_at)
    SELECT id, 'receive', on_hand, 0, 0, '', '', now() FROM inventory_stock
    UNION ALL SELECT id, 'allocate', 0, allocated, 0, '', '', now() FROM inventory_stock
    """,
    """
    UPDATE flashsale_saleitem item SET units = stock.on_hand
    FROM inventory_stock stock WHERE stock.id = item.stock_id
    """,
    "VACUUM ANALYZE",
    "RESET ALL",
)


def fill(movements: int, reservations: int) -> None:
    """Fill an empty, migrated database with rows that agree."""
    from django.db import connection  # noqa: PLC0415 -- needs Django, as below

    numbers = {
        "movements": movements,
        "reservations": reservations,
        "skus": SKUS,
        "sales": SALES,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in PREPARE:
            cursor.execute(statement)
        _make_sales()
        for statement in FILL:
            cursor.execute(statement, numbers if "%" in statement else None)


def _make_sales() -> None:
    """The stock of every SKU, and open sales of one item each, by the models: they know every column."""
    from django.utils import timezone  # noqa: PLC0415

    from flashsale.models import Sale, SaleItem  # noqa: PLC0415
    from inventory.models import Stock  # noqa: PLC0415

    now = timezone.now()
    Stock.objects.bulk_create(Stock(sku=f"SKU-{n}", pool="main") for n in range(1, SKUS + 1))
    for n in range(1, SALES + 1):
        stock = Stock.objects.create(sku=f"SKU-{n}", pool=f"sale:{n}")
        sale = Sale.objects.create(
            pk=n,
            name=f"Sale {n}",
            slug=f"sale-{n}",
            status=Sale.Status.SCHEDULED,
            lobby_opens_at=now,
            opens_at=now,
            closes_at=now + timedelta(days=1),
            queue_mode=Sale.QueueMode.NONE,
        )
        SaleItem.objects.create(pk=n, sale=sale, variant_id=n, price=9, units=0, stock=stock)


def time_audit() -> dict[str, float]:
    """Seconds of each check. Raises AssertionError when one finds a breach: then it has not read everything."""
    from inventory import audit  # noqa: PLC0415

    with audit.snapshot():
        results = list(audit.run(scope={}))
    assert not any(result.breaches for result in results), results
    return {result.check.name: round(result.seconds, 2) for result in results}


def explain() -> None:
    """Print how PostgreSQL goes about each check."""
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.utils.module_loading import import_string  # noqa: PLC0415

    with connection.cursor() as cursor:
        for path in settings.AUDIT_CHECKS:
            for check in import_string(path)(scope={}):
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {check.sql}", check.params or None)
                print(f"\n{check.name}", *(line for (line,) in cursor.fetchall()), sep="\n    ")


def main() -> int:
    os.environ |= {"HOLDFAST_ENV": "demo", "LOG_LEVEL": "ERROR"}
    embedded.prepare_environment(home=HOME)
    import django  # noqa: PLC0415 -- the environment is ready now

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from bench import pages  # noqa: PLC0415
    from bench.measurements import PAGE, describe_machine  # noqa: PLC0415

    movements, reservations = (
        int(os.environ.get(name, FULL)) for name in ("MOVEMENTS", "RESERVATIONS")
    )
    try:
        call_command("migrate", verbosity=0)
        load, started = os.getloadavg()[0], time.monotonic()
        fill(movements, reservations)
        print(f"Filled with {movements:,} movements and {reservations:,} reservations", end=" ")
        print(f"in {time.monotonic() - started:.0f} s.")
        taken = time_audit()
        for name, seconds in taken.items():
            print(f"{seconds:>8.2f} s  {name}")
        if movements >= FULL and reservations >= FULL:
            said = f"{describe_machine(load)}\n\n{pages.audit_table(taken)}"
            pages.write(PAGE, {"audit": said}, run="growth")
        if os.environ.get("EXPLAIN"):
            explain()
    finally:
        connection.close()
        embedded.stop(HOME, erase=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
