"""A drain that is killed at a named point: `python -m tests.faults.dying_drain SALE POINT`.

The environment names the databases. A process that gets past its point exits with 0.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

CONSUMER = "dies"


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(work: Callable[..., Any]) -> Callable[..., None]:
    def do_it_and_die(*args: Any, **options: Any) -> None:
        work(*args, **options)
        die()

    return do_it_and_die


def main(sale_slug: str, point: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from flashsale import drain, gate, sales, settling  # noqa: PLC0415 -- after django.setup()
    from inventory import reservations  # noqa: PLC0415

    sale = sales.find(sale_slug)
    assert sale is not None
    match point:
        case "taken":
            settling.settle = die  # type: ignore[assignment]  # it does not come back
        case "not committed":
            reservations.reserve_batch = then_die(reservations.reserve_batch)  # type: ignore[assignment]  # as above
        case "committed":
            settling.settle = then_die(settling.settle)  # type: ignore[assignment]  # as above
        case "acknowledged":
            gate.acknowledge = then_die(gate.acknowledge)  # type: ignore[assignment]  # as above
        case "acknowledged before it was settled":
            claims = drain.take(sale_id=sale.id, consumer=CONSUMER)
            then_die(gate.acknowledge)(
                sale_id=sale.id,
                group=drain.GROUP,
                stream_ids=[claim.stream_id for claim in claims],
            )
        case _:
            raise ValueError(point)
    drain.drain(sale, consumer=CONSUMER)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
