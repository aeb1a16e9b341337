"""The limit per holder: units counted within a scope, in the order (scope, holder), in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db import connection

from inventory.arrays import array
from inventory.models import Holding

#: Adds units to each holder once, unless that would pass the limit; returns the holders who had room.
COUNT = """
    INSERT INTO inventory_holding (scope, holder, units, limit_units)
    SELECT %(scope)s, holder, units, %(limit)s
    FROM unnest(%(holders)s::text[], %(units)s::int[]) AS wanted (holder, units)
    WHERE units <= %(limit)s
    ORDER BY holder
    ON CONFLICT (scope, holder) DO UPDATE
    SET units = inventory_holding.units + EXCLUDED.units, limit_units = EXCLUDED.limit_units
    WHERE inventory_holding.units + EXCLUDED.units <= EXCLUDED.limit_units
    RETURNING holder
"""

#: Takes the rows in one pass, those that are not there yet too, and changes none.
HOLD_STILL = """
    INSERT INTO inventory_holding (scope, holder, units, limit_units)
    SELECT %(scope)s, holder, 0, %(limit)s FROM unnest(%(holders)s::text[]) AS wanted (holder)
    ORDER BY holder
    ON CONFLICT (scope, holder) DO UPDATE SET units = inventory_holding.units
"""

#: Takes units off again. The rows are locked in order first: an UPDATE alone takes them in any order.
UNCOUNT = """
    WITH gone AS (
        SELECT scope, holder, sum(units)::int AS units
        FROM unnest(%(scopes)s::text[], %(holders)s::text[], %(units)s::int[])
            AS gone (scope, holder, units)
        GROUP BY scope, holder
    ), locked AS (
        SELECT holding.id, gone.units
        FROM inventory_holding holding JOIN gone USING (scope, holder)
        ORDER BY holding.scope, holding.holder
        FOR UPDATE OF holding
    )
    UPDATE inventory_holding holding SET units = holding.units - locked.units
    FROM locked WHERE holding.id = locked.id
"""

#: Adds units to one holder within the limit that was in force before.
RECOUNT = """
    UPDATE inventory_holding SET units = units + %(units)s
    WHERE scope = %(scope)s AND holder = %(holder)s AND units + %(units)s <= limit_units
"""


def count(*, scope: str, limit: int, wanted: Sequence[tuple[str, int]]) -> list[bool]:
    """Count `wanted` (holder, units) in order; return for each whether it stayed within `limit`."""
    rounds: dict[int, list[int]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    for index, (holder, _) in enumerate(wanted):
        rounds[seen[holder]].append(index)
        seen[holder] += 1
    within = [False] * len(wanted)
    with connection.cursor() as cursor:
        # One statement cannot upsert a row twice, so a holder's second claim waits for the next one.
        for indexes in rounds.values():
            cursor.execute(
                COUNT,
                {
                    "scope": scope,
                    "limit": limit,
                    "holders": array(wanted[index][0] for index in indexes),
                    "units": array(wanted[index][1] for index in indexes),
                },
            )
            is_all = cursor.rowcount == len(indexes)
            counted = set() if is_all else {holder for (holder,) in cursor.fetchall()}
            for index in indexes:
                within[index] = is_all or wanted[index][0] in counted
    return within


def holders(*, scope: str, most: int) -> list[str] | None:
    """Who has units within a scope; None when there are more than `most`."""
    rows = Holding.objects.filter(scope=scope, units__gt=0).values_list("holder", flat=True)
    known = list(rows[: most + 1])
    return known if len(known) <= most else None


def units_of(*, scope: str, holder: str) -> int:
    """Units that one holder has within a scope."""
    row = Holding.objects.filter(scope=scope, holder=holder).first()
    return row.units if row else 0


def hold_still(*, scope: str, limit: int, holders: Iterable[str]) -> None:
    """The holders' rows, for the rest of the transaction: for who counts again after taking stock rows."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_STILL, {"scope": scope, "limit": limit, "holders": array(set(holders))})


def uncount(gone: Sequence[tuple[str, str, int]]) -> None:
    """Take (scope, holder, units) off again."""
    if gone:
        scopes, holders, units = zip(*gone, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(
                UNCOUNT,
                {"scopes": array(scopes), "holders": array(holders), "units": array(units)},
            )


def recount(*, scope: str, holder: str, units: int) -> bool:
    """Count units that had been taken off, if the holder's limit leaves room."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT, {"scope": scope, "holder": holder, "units": units})
        return bool(cursor.rowcount)
