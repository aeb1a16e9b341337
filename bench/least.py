"""The least that a hot call can be: WSGI functions that read the body, run the call's script once and answer.

No cookie, no signature, no limit, no JSON. What Granian, the network and Redis cost is in it, so it says how near an
empty view a call can come at all: `/bench/least/<call>/<sale>/<item>/`.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from flashsale import admissions, gate, line, store
from flashsale.keys import key

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PREFIX = "/bench/least/"


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    call, sale, item = environ["PATH_INFO"].removeprefix(PREFIX).strip("/").split("/")
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    CALLS[call](int(sale), int(item))
    start_response("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]


def _claim(sale: int, item: int) -> None:
    """As of a sale without a line, because nobody has been let in."""
    gate.claim(
        sale_id=sale,
        shopper=uuid4(),
        item=item,
        quantity=1,
        purchase=uuid4(),
        now=datetime.now(tz=UTC),
    )


def _join(sale: int, item: int) -> None:
    shopper = uuid4()
    store.run(
        "lobby",
        keys=[key(sale, "entrants"), key(sale, "seen")],
        args=[str(shopper), 2**line.SEEN_BITS - 1, *line.seen_bits(shopper)],
    )


def _enter(sale: int, item: int) -> None:
    now = datetime.now(tz=UTC)
    ends = now + timedelta(minutes=5)
    store.run(
        "admit",
        keys=[key(sale, name) for name in admissions.ADMIT_KEYS],
        args=[
            gate.milliseconds(now),
            gate.milliseconds(ends),
            str(uuid4()),
            1_000_000,
            0,
            0,
            f"free:{item}",
        ],
    )


CALLS: dict[str, Callable[[int, int], None]] = {"claim": _claim, "join": _join, "enter": _enter}
