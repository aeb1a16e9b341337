"""Three ways to promise units of one stock row, with one outcome. Each joins the caller's transaction.

Whichever way it goes, the row's CHECK constraint refuses what all of them would have missed. The ways may meet on one
row at the same time: each decides on the row as it is when its own UPDATE holds it.
"""

import random
import time
from enum import StrEnum

from django.db import connection

from inventory.models import Stock


class Method(StrEnum):
    """How the units are taken.

    CONDITIONAL: one UPDATE whose WHERE asks for enough free units. What batches and carts use.
    LOCK: `SELECT ... FOR UPDATE`, look, then UPDATE. Claimants wait for one another in the database.
    VERSION: read, then UPDATE where the version is still the same; who was too late tries again.
    """

    CONDITIONAL = "conditional"
    LOCK = "lock"
    VERSION = "version"


class Contended(Exception):
    """Others changed the row each time; nothing was taken, and trying again later may work."""


#: Tries of VERSION before it gives up. With the pauses below that is a little more than half a second.
VERSION_TRIES = 12
#: Seconds: the longest first pause, and the longest of all. The pause is drawn evenly from zero up to it ("full
#: jitter", M. Brooker, Exponential Backoff and Jitter, 2015), so that those who met do not meet again.
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1


#: In SQL, because the ORM takes longer to write this than PostgreSQL to run it.
ADD = """
    UPDATE inventory_stock
    SET allocated = allocated + %(units)s, version = version + 1, updated_at = statement_timestamp()
    WHERE id = %(stock)s
"""
ADD_IF_ENOUGH = f"{ADD} AND on_hand >= allocated + %(units)s"
ADD_IF_UNCHANGED = f"{ADD} AND version = %(version)s"


def allocate(*, stock_id: int, units: int, method: Method = Method.CONDITIONAL) -> bool:
    """Promise `units` of a stock row; False when fewer are free.

    Raises:
        Contended: VERSION lost every try.
    """
    match method:
        case Method.CONDITIONAL:
            return _add(stock_id, units, statement=ADD_IF_ENOUGH)
        case Method.LOCK:
            row = Stock.objects.select_for_update(no_key=True).get(pk=stock_id)
            return row.available >= units and _add(stock_id, units)
        case Method.VERSION:
            return _compare_and_set(stock_id, units)


def _compare_and_set(stock_id: int, units: int) -> bool:
    for attempt in range(VERSION_TRIES):
        row = Stock.objects.get(pk=stock_id)
        if row.available < units:
            return False
        if _add(stock_id, units, statement=ADD_IF_UNCHANGED, version=row.version):
            return True
        pause(attempt)
    raise Contended


def pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)))  # noqa: S311 -- no secret


def _add(stock_id: int, units: int, *, statement: str = ADD, **known: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"stock": stock_id, "units": units, **known})
        return bool(cursor.rowcount)
