"""The line: the lobby's draw, numbers for those who come later, and the document that everybody polls.

A shopper's place in the draw is `1 + floor(SHA-256(seed ":" shopper) * entrants / 2**256)`; entrants is a
HyperLogLog's count (Flajolet et al., 2007; standard error 0.81 %), so two shoppers may share a place and nobody
can choose theirs. The lobby costs half a megabyte whatever its size: the place is worked out and not stored, a
ticket proves it, and a Bloom filter lets those who come back without their ticket find it again.

When Redis is away: nobody can join or enter, the document is made from PostgreSQL and stands still.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from flashsale import challenges, gate, store
from flashsale.controller import Inputs, Memory, Serving, decide
from flashsale.keys import key
from flashsale.line_document import compose, forget, read_serving
from flashsale.models import LineState
from flashsale.sales import (
    Phase,
    QueueMode,
    SaleInfo,
    phase_by_clock,
)
from flashsale.tickets import Ticket

#: Bits of the Bloom filter as a power of two (512 KB), and bits set a shopper.
SEEN_BITS, SEEN_HASHES = 22, 8
#: Entrants up to which the filter takes at most one newcomer in 500 for somebody who was in the lobby.
#: In a larger crowd only a ticket proves it.
SEEN_TRUSTED = 300_000

#: What the join script says when Redis knows no last number.
LOST = -1
#: Phases in which a shopper may join. A pause does not send anybody away.
JOINABLE = (Phase.LOBBY, Phase.OPEN, Phase.PAUSED)


class CannotJoin(Exception):
    """The line of this sale is not open; the argument is the phase."""


@dataclass(frozen=True, slots=True)
class Joined:
    ticket: Ticket
    is_new: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a shopper stands. `place` is None until the draw; `wait_seconds` None while nobody can say: the sale is
    not open, or more people are ahead than units are left."""

    place: int | None
    ahead: int | None
    is_served: bool
    wait_seconds: float | None


def join(
    sale: SaleInfo,
    *,
    shopper: UUID,
    now: datetime,
    proven: Ticket | None = None,
    answer: str = "",
) -> Joined:
    """Join the line, or find the place that the shopper has.

    `proven` is a ticket that they brought; `answer` is to the challenge at the door, which a ticket spares them.

    Raises:
        challenges.ChallengeRequired: there is a challenge, and this is no answer to it.
        CannotJoin: too early, over, or a sale without a line.
        redis.RedisError: Redis is away.
    """
    joined_at = int(now.timestamp()) if proven is None else proven.joined_at
    now_phase = phase_by_clock(sale, now=now)
    # A sale that is paused before its lobby opens has no line yet.
    if now_phase not in JOINABLE or not sale.has_line or now < sale.lobby_opens_at:
        raise CannotJoin(now_phase)
    if proven is not None and proven.is_draw:
        return Joined(ticket=proven, is_new=False)
    if proven is None:
        challenges.pass_or_raise(sale=sale, shopper=shopper, answer=answer)
    bits: list[int] = []
    if proven is None and sale.queue_mode == QueueMode.DRAW:
        if now < sale.opens_at:
            is_new = store.run(
                "lobby",
                keys=[key(sale.id, "entrants"), key(sale.id, "seen")],
                args=[str(shopper), 2**SEEN_BITS - 1, *seen_bits(shopper)],
            )
            return Joined(ticket=Ticket(None, joined_at), is_new=bool(is_new))
        bits = seen_bits(shopper)
    proven_number = proven.number or 0 if proven else 0
    number, is_new = _take_number(sale, shopper, proven_number, bits, floor="")
    if number == LOST:
        # Nobody has a number yet, or Redis lost them: what PostgreSQL knows of is not given out again.
        state = LineState.objects.filter(sale_id=sale.id).first()
        floor = state.last_number if state else 0
        number, is_new = _take_number(sale, shopper, proven_number, bits, floor=floor)
    return Joined(ticket=Ticket(number or None, joined_at), is_new=bool(is_new))


def _take_number(
    sale: SaleInfo, shopper: UUID, proven: int, bits: list[int], *, floor: int | str
) -> tuple[int, int]:
    number, is_new = store.run(
        "join",
        keys=[key(sale.id, name) for name in ("numbers", "last", "entrants", "seen")],
        args=[str(shopper), proven, floor, SEEN_TRUSTED, *bits],
    )
    return number, is_new


def seen_bits(shopper: UUID) -> list[int]:
    """The bits of the Bloom filter that stand for a shopper."""
    digest = hashlib.sha256(shopper.bytes).digest()
    words = (digest[start : start + 4] for start in range(0, 4 * SEEN_HASHES, 4))
    return [int.from_bytes(word, "big") % 2**SEEN_BITS for word in words]


def drawn_place(*, seed: str, shopper: UUID, draw_size: int) -> int:
    """A place of the draw, 1 to `draw_size`; see the module's docstring."""
    digest = hashlib.sha256(f"{seed}:{shopper}".encode()).digest()
    return 1 + (int.from_bytes(digest, "big") * draw_size >> 256)


def position(
    sale: SaleInfo, *, ticket: Ticket, shopper: UUID, document: dict[str, Any], now: datetime
) -> Position:
    """Work a shopper's position out of their ticket and the line document, as a browser would."""
    draw_size = document["draw_size"]
    if sale.queue_mode == QueueMode.FIRST_COME:
        draw_size = 0
    if draw_size is None:
        return Position(place=None, ahead=None, is_served=False, wait_seconds=None)
    if ticket.number is None:
        place = drawn_place(seed=sale.seed, shopper=shopper, draw_size=max(1, draw_size))
    else:
        place = draw_size + ticket.number
    serving = read_serving(document["serving"])
    moment = now.timestamp()
    is_open = document["phase"] == Phase.OPEN
    is_served = is_open and serving.has_reached(place, moment)
    ahead = 0 if is_served else max(0, place - 1 - int(serving.number_at(moment)))
    can_say = is_served or (is_open and ahead < document["units_left"])
    return Position(
        place=place,
        ahead=ahead,
        is_served=is_served,
        wait_seconds=serving.seconds_to(place, moment) if can_say else None,
    )


def renew(sale: SaleInfo, *, now: datetime) -> dict[str, Any]:
    """One run of the controller: set the gate, decide the serving number, write the document.

    Two runs at once do no harm: each starts from what was said last, and the later answer stands.
    """
    client = store.client()
    gate.sync(sale, now=now)
    state, _ = LineState.objects.get_or_create(sale_id=sale.id)
    _restore(sale, state)
    draw_size = _draw_size(sale, state, now=now)
    last = int(client.get(key(sale.id, "last")) or 0)
    active_key = key(sale.id, "active")
    client.zremrangebyscore(active_key, "-inf", gate.milliseconds(now))
    active = int(client.zcard(active_key))
    entered = int(client.get(key(sale.id, "entered")) or 0)
    gate_fields = client.hgetall(key(sale.id, "gate"))
    moment = now.timestamp()
    memory = remembered(sale) or Memory(
        serving=Serving(base=state.served, rate=0.0, at=moment, until=moment)
    )
    phase_now = phase_by_clock(sale, now=now)
    is_open = phase_now is Phase.OPEN
    memory = decide(
        memory,
        Inputs(
            now=moment,
            # A draw has a first place even when its count was lost before anybody wrote it down.
            last_place=max(draw_size or 0, sale.queue_mode == QueueMode.DRAW) + last,
            active=active,
            entered=entered,
            cap=sale.admission_cap,
            units_free=_units(gate_fields, "free:"),
            is_open=is_open,
            admission_seconds=sale.admission_seconds,
            is_paused=phase_now is Phase.PAUSED,
            pace=sale.admissions_per_minute / 60 if sale.admissions_per_minute else None,
            backlog_seconds=_units(gate_fields, "queued:") / settings.PURCHASES_PER_SECOND,
        ),
    )
    entrants = max(state.entrants, int(client.pfcount(key(sale.id, "entrants"))))
    joined = (entrants if draw_size is None else draw_size) + last
    waiting = max(0, joined - int(memory.serving.base))
    value = compose(sale, now=now, serving=memory.serving, draw_size=draw_size, waiting=waiting)
    pipeline = client.pipeline(transaction=False)
    # The sale may have been ended meanwhile: then its keys have an end, and keep it.
    pipeline.set(key(sale.id, "controller"), memory.dumps(), keepttl=True)
    pipeline.set(key(sale.id, "line"), json.dumps(value), keepttl=True)
    pipeline.execute()
    forget(sale.id)
    LineState.objects.filter(pk=state.pk).update(
        served=memory.serving.base, last_number=last, updated_at=timezone.now()
    )
    return value


def remembered(sale: SaleInfo) -> Memory | None:
    """What the controller remembers of its last run; None before the first, and after one of another version.

    Raises:
        redis.RedisError: Redis is away.
    """
    text = store.client().get(key(sale.id, "controller"))
    try:
        return Memory.loads(str(text)) if text else None
    except (KeyError, TypeError, ValueError):
        return None


def _units(gate_fields: dict[str, str], prefix: str) -> int:
    """Units of all items in the gate's fields of one kind."""
    return sum(int(value) for name, value in gate_fields.items() if name.startswith(prefix))


def _restore(sale: SaleInfo, state: LineState) -> None:
    """Bring the counter back after a loss; tickets prove the numbers that were given out before."""
    if state.last_number:
        store.run("atleast", keys=[key(sale.id, "last")], args=[state.last_number])


def _draw_size(sale: SaleInfo, state: LineState, *, now: datetime) -> int | None:
    """Entrants of the draw: fixed at the first run after the opening, by whoever comes first."""
    if sale.queue_mode != QueueMode.DRAW:
        return 0
    if state.draw_size is None:
        # Redis may lose its count: the draw is among all who were ever counted.
        entrants = max(state.entrants, int(store.client().pfcount(key(sale.id, "entrants"))))
        is_drawn = now >= sale.opens_at
        LineState.objects.filter(pk=state.pk, draw_size=None).update(
            entrants=entrants, draw_size=entrants if is_drawn else None
        )
        state.refresh_from_db()
    return state.draw_size
