"""The drain while the tables are small and while they are large: two databases on one server take turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connection, connections

from bench import drains, servers
from bench.figures import Figure, ratio, take_turns
from bench.size import Size

#: Rows of the small side.
FEW = 10_000
#: Reservations of one past sale.
SALE_SIZE = 10_000

#: The stock of past sales. Their numbers are far above those of the sales that are measured.
STOCK = """
    INSERT INTO inventory_stock (sku, pool, on_hand, allocated, version)
    SELECT 'PAST-' || sale, 'sale:' || (1000000 + sale), %(size)s, 0, %(size)s
    FROM generate_series(1, %(sales)s) AS sale
"""
#: Past reservations, most of them shipped: their ids begin with their sale, as purchases' do.
RESERVATIONS = """
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at, created_at, settled_at)
    SELECT id, id, stock_id, 1, md5('shopper' || number), pool, state, moment, moment, moment
    FROM (
        SELECT number, stock.id AS stock_id, stock.pool,
            (lpad(to_hex(stock.id), 8, '0') || right(md5(number::text), 24))::uuid AS id,
            (ARRAY['consumed', 'consumed', 'consumed', 'expired', 'released'])[1 + number %% 5] AS state,
            now() - interval '1 year' + make_interval(secs => number) AS moment
        FROM inventory_stock stock, generate_series(1, %(size)s) AS number
        WHERE stock.sku LIKE 'PAST-%%'
    ) AS past
"""
MOVEMENTS = """
    INSERT INTO inventory_stockmovement
        (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor)
    SELECT stock.id, 'allocate', 0, 1, 1, '', ''
    FROM inventory_stock stock, generate_series(1, %(size)s) AS number
    WHERE stock.sku LIKE 'PAST-%%'
"""


def measure(size: Size) -> dict[str, Figure]:
    """Holds per second with many rows over holds per second with few."""
    connections.close_all()
    servers.copy_database()
    fill(rows=FEW)
    with _large_database(), connection.cursor() as cursor:
        fill(rows=size.rows)
        # Both databases share one Redis, where a sale's keys are named after its number.
        cursor.execute("ALTER SEQUENCE flashsale_sale_id_seq RESTART 500000")
    sides = {
        "drain_at_ten_thousand_rows": partial(drains.drained, claims=size.claims),
        f"drain_at_{size.rows}_rows": partial(_drained_there, claims=size.claims),
    }
    figures = take_turns(sides, rounds=size.rounds)
    few, many = sides
    return {"drain_at_ten_million_rows": ratio(figures, many, few)}


def fill(*, rows: int) -> None:
    """So many reservations and as many movements of past sales."""
    values = {"size": SALE_SIZE, "sales": rows // SALE_SIZE}
    with connection.cursor() as cursor:
        # Rows that refer to what the same statements made need no look for it, which is most of the time it takes.
        cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0")
        for statement in (STOCK, RESERVATIONS, MOVEMENTS):
            cursor.execute(statement, values)
        cursor.execute("RESET session_replication_role; RESET statement_timeout")
        cursor.execute("VACUUM ANALYZE inventory_reservation, inventory_stockmovement")
        cursor.execute("CHECKPOINT")


def _drained_there(*, claims: int) -> float:
    with _large_database():
        return drains.drained(claims=claims)


@contextmanager
def _large_database() -> Iterator[None]:
    usual = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = servers.LARGE_DATABASE
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = usual
