"""Proof in SQL that counters, reservations, movements and holdings agree; each room brings its own checks."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Check:
    """One invariant. `sql` selects a row per breach, with a column `breach` that names the row."""

    name: str
    question: str
    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    check: Check
    breaches: list[str]
    seconds: float


#: Breaches of one check that are fetched: enough to see the pattern.
MOST_BREACHES = 50


def checks(*, scope: Mapping[str, Any]) -> list[Check]:
    """The stockroom's own invariants. They always cover all stock: `scope` narrows nothing here."""
    return [
        Check(
            name="stock_within_bounds",
            question="Is 0 <= allocated <= on_hand for every stock row?",
            sql="""
                SELECT format('stock %s (%s): on hand %s, allocated %s', sku, pool, on_hand, allocated)
                    AS breach
                FROM inventory_stock WHERE allocated < 0 OR allocated > on_hand
            """,
        ),
        Check(
            name="allocated_equals_reservations",
            question="Is allocated the sum of held and confirmed reservations?",
            sql="""
                SELECT format('stock %s (%s): allocated %s, held and confirmed %s',
                    stock.sku, stock.pool, stock.allocated, coalesce(live.units, 0)) AS breach
                FROM inventory_stock stock
                LEFT JOIN (
                    SELECT stock_id, sum(quantity) AS units FROM inventory_reservation
                    WHERE state IN ('held', 'confirmed') GROUP BY stock_id
                ) live ON live.stock_id = stock.id
                WHERE stock.allocated <> coalesce(live.units, 0)
            """,
        ),
        Check(
            name="counters_equal_movements",
            question="Do the movements add up to the counters?",
            sql="""
                SELECT format('stock %s (%s): on hand %s, moved %s; allocated %s, moved %s',
                    stock.sku, stock.pool, stock.on_hand, coalesce(moved.on_hand, 0),
                    stock.allocated, coalesce(moved.allocated, 0)) AS breach
                FROM inventory_stock stock
                LEFT JOIN (
                    SELECT stock_id, sum(on_hand_change) AS on_hand, sum(allocated_change) AS allocated
                    FROM inventory_stockmovement GROUP BY stock_id
                ) moved ON moved.stock_id = stock.id
                WHERE stock.on_hand <> coalesce(moved.on_hand, 0)
                   OR stock.allocated <> coalesce(moved.allocated, 0)
            """,
        ),
        Check(
            name="holdings_equal_reservations",
            question="Does every holder's count equal what is held, confirmed or shipped for them?",
            sql="""
                SELECT format('holding of %s in %s: counted %s, reserved %s',
                    coalesce(holding.holder, live.holder), coalesce(holding.scope, live.scope),
                    coalesce(holding.units, 0), coalesce(live.units, 0)) AS breach
                FROM inventory_holding holding
                FULL JOIN (
                    SELECT scope, holder, sum(quantity) AS units FROM inventory_reservation
                    WHERE scope <> '' AND state IN ('held', 'confirmed', 'consumed')
                    GROUP BY scope, holder
                ) live USING (scope, holder)
                WHERE coalesce(holding.units, 0) <> coalesce(live.units, 0)
            """,
        ),
    ]


@contextmanager
def snapshot() -> Iterator[None]:
    """One view of the database for a whole audit, for a sale may be running while it is proved.

    Nothing is written, and the session's limit on how long a statement may take is lifted: it is for shoppers.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
        yield


def run(*, scope: Mapping[str, Any]) -> Iterator[Result]:
    """Run every check of every room (`settings.AUDIT_CHECKS`), within a `snapshot` when others may write.

    Args:
        scope: what narrows the checks that can be narrowed, e.g. `{"sale": "first-light"}`.
    """
    with connection.cursor() as cursor:
        for dotted_path in settings.AUDIT_CHECKS:
            room_checks: Sequence[Check] = import_string(dotted_path)(scope=scope)
            for check in room_checks:
                started = time.monotonic()
                cursor.execute(
                    # Materialized: with the limit in sight PostgreSQL plans for the first few rows, by way of
                    # indexes, and there are none to find: it takes ten times as long.
                    f"WITH found AS MATERIALIZED ({check.sql}) SELECT breach FROM found LIMIT {MOST_BREACHES}",  # noqa: S608 -- our own constants
                    check.params or None,
                )
                breaches = [breach for (breach,) in cursor.fetchall()]
                yield Result(check=check, breaches=breaches, seconds=time.monotonic() - started)
