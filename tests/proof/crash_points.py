"""Where a process may die: before and after each write of the stock engine, by name.

The state machine raises `Crashed` at a point, inside the process; `tests.faults.test_crash_points` kills a real
process there. PostgreSQL sees the same: a transaction that never commits.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import pytest

Work = Literal["batch", "at once", "let go", "expire", "pay", "sync", "claim", "return"]


class Crashed(BaseException):
    """This process is gone. Nothing in the shop may catch it."""


@dataclass(frozen=True, slots=True)
class Point:
    """`target` is a function as the shop's code finds it; `work` is what the process is doing."""

    work: Work
    target: str
    when: Literal["before", "after"]

    def __str__(self) -> str:
        return f"{self.work}: {self.when} {self.target.rpartition(':')[2]}"


def _both(work: Work, *targets: str) -> list[Point]:
    whens: tuple[Literal["before"], Literal["after"]] = ("before", "after")
    return [Point(work, target, when) for target in targets for when in whens]


SETTLING = [
    "flashsale.settling:_insert_purchases",
    "inventory.holdings:count",
    "inventory.batches:allocate",
    "inventory.batches:_insert_holds",
]
GIVING_BACK = [
    "inventory.reservations:_set_state",
    "inventory.holdings:uncount",
    "inventory.reservations:_deallocate",
    "inventory.reservations:_record",
]
POINTS = [
    *_both("claim", "flashsale.gate:claim"),
    *_both("batch", *SETTLING, "flashsale.settling:settle", "flashsale.gate:acknowledge"),
    *_both("at once", *SETTLING),
    *_both("let go", *GIVING_BACK, "flashsale.gate:sync"),
    *_both("expire", *GIVING_BACK),
    *_both("pay", "inventory.reservations:_set_state"),
    *_both("sync", "flashsale.gate:count_units", "flashsale.gate:sync"),
    *_both("return", "inventory.stock:_change"),
]


def raise_crashed() -> None:
    raise Crashed


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def dying_at(point: Point, *, die: Callable[[], None] = raise_crashed) -> Iterator[None]:
    """The first call that reaches the point dies there."""
    module_name, _, name = point.target.partition(":")
    module = import_module(module_name)
    work = getattr(module, name)

    def do_and_die(*args: Any, **options: Any) -> Any:
        if point.when == "before":
            die()
        result = work(*args, **options)
        die()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, do_and_die)
        yield
