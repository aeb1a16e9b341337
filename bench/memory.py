"""What a sale keeps in Redis: for each claim that waits, for each taker, for the lobby's crowd, and after its end."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import hiredis
from django.conf import settings

from bench import stage
from bench.bare import BareSocket
from bench.figures import Figure
from bench.size import Size
from flashsale import drain, gate, line, store
from flashsale.keys import ALL, KEEP_SECONDS, Name, key
from flashsale.sales import SaleInfo

#: Joins sent before their answers are read.
PIPELINE = 500
#: Five standard errors of the HyperLogLog's count.
MOST_ERROR = 0.041


def measure(size: Size) -> dict[str, Figure]:
    """Bytes by MEMORY USAGE of the real keys, and the last second at which they are gone."""
    sale = stage.open_sale(units=size.claims)
    stage.claim_all(sale, number=size.claims)
    queued, takers = _bytes(sale, "claims"), _bytes(sale, "takers")
    while not drain.drain(sale, consumer="bench").is_empty:
        pass
    drained = _bytes(sale, "claims")
    gate.let_keys_expire(sale.id)
    lives = [int(store.client().ttl(key(sale.id, name))) for name in ALL]
    assert all(life == -2 or 0 < life <= KEEP_SECONDS for life in lives), "A key outlives its sale."
    return {
        "redis_bytes_per_claim": Figure(value=round(queued / size.claims, 1), unit="bytes"),
        "redis_bytes_per_taker": Figure(value=round(takers / size.claims, 1), unit="bytes"),
        "redis_bytes_of_an_empty_queue": Figure(value=drained, unit="bytes"),
        "redis_seconds_after_the_end": Figure(value=max(lives), unit="s"),
    }


def measure_line(size: Size) -> dict[str, Figure]:
    """Bytes of the lobby after a crowd has joined it, and of each who joined after the opening, by the real scripts."""
    sale = stage.open_sale(units=1, has_line=True)
    _join(
        sale,
        "lobby",
        ("entrants", "seen"),
        size.entrants,
        lambda shopper: [2**line.SEEN_BITS - 1, *line.seen_bits(shopper)],
    )
    lobby = _bytes(sale, "entrants") + _bytes(sale, "seen")
    counted = int(store.client().pfcount(key(sale.id, "entrants")))
    assert abs(counted / size.entrants - 1) < MOST_ERROR, counted
    late = size.entrants // 100
    _join(
        sale,
        "join",
        ("numbers", "last", "entrants", "seen"),
        late,
        lambda _: [0, 0, line.SEEN_TRUSTED],
    )
    numbers = _bytes(sale, "numbers")
    store.client().delete(*(key(sale.id, name) for name in ALL))
    return {
        "redis_bytes_of_the_lobby": Figure(
            value=lobby,
            unit="bytes",
            target=1e6,
            at_least=False,
            sides={"entrants": [size.entrants]},
        ),
        "redis_bytes_per_lobby_entrant": Figure(
            value=round(lobby / size.entrants, 4), unit="bytes", sides={"entrants": [size.entrants]}
        ),
        "redis_bytes_per_latecomer": Figure(
            value=round(numbers / late, 1), unit="bytes", sides={"latecomers": [late]}
        ),
    }


def _join(
    sale: SaleInfo,
    script: str,
    names: Sequence[Name],
    number: int,
    rest: Callable[[UUID], Sequence[int]],
) -> None:
    """Many shoppers join, in pipelines over a bare socket: one by one ten million would take an hour."""
    store.client().script_load(store._source(script))
    head = ("EVALSHA", store._digest(script), len(names), *(key(sale.id, name) for name in names))
    pack: Any = hiredis.pack_command
    redis = BareSocket.of_url(settings.REDIS_URL)
    for first in range(0, number, PIPELINE):
        shoppers = [uuid4() for _ in range(min(PIPELINE, number - first))]
        redis.send(b"".join(pack((*head, str(shopper), *rest(shopper))) for shopper in shoppers))
        for _ in shoppers:
            redis.receive()
    redis.close()


def _bytes(sale: SaleInfo, name: str) -> int:
    known = next(each for each in ALL if each == name)
    return int(store.client().memory_usage(key(sale.id, known), samples=0) or 0)
