"""What a process remembers of a sell-out, so that the crowd after it costs neither Redis nor PostgreSQL anything.

A definite no is repeated from memory for a moment, to everybody but those who took units: a repeated click of theirs
has to find their purchase. Who took some is read once, when the no is learnt.

What may be untrue for that moment: a unit that came free meanwhile is offered a little later, and somebody who took
it through another process, and clicks again here within the moment, is told "sold out" beside a hold that stands.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

#: Seconds for which a no is repeated.
MEMORY_SECONDS = 0.5
#: Takers that a process is willing to read and keep; a sale with more of them asks each time.
MOST_TAKERS = 20_000


@dataclass(frozen=True, slots=True)
class _No:
    until: float
    quantity: int
    takers: frozenset[str]


_noes: dict[tuple[int, int], _No] = {}


def is_known(*, sale_id: int, item: int, quantity: int, shopper: UUID) -> bool:
    """Whether `quantity` units were refused a moment ago, and the shopper had taken none."""
    no = _noes.get((sale_id, item))
    return (
        no is not None
        and quantity >= no.quantity
        and time.monotonic() < no.until
        and str(shopper) not in no.takers
    )


def remember(
    *, sale_id: int, item: int, quantity: int, takers: Callable[[], Collection[str] | None]
) -> None:
    """Keep a no. `takers` reads who took units; None when they are too many to keep."""
    learnt = time.monotonic()
    known = takers()
    if known is not None:
        _noes[sale_id, item] = _No(learnt + MEMORY_SECONDS, quantity, frozenset(known))


def forget(sale_id: int) -> None:
    """Units came free, as far as this process knows."""
    for known in list(_noes):  # at once: other threads learn and forget meanwhile
        if known[0] == sale_id:
            _noes.pop(known, None)


def forget_all() -> None:
    _noes.clear()
