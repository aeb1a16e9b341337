"""The line document: what is being served, the same bytes for everybody, so that a CDN or nginx can answer the polls.

The controller writes it to Redis once a second (`line.renew`); each process keeps a copy for a moment, as bytes and as
a value, so a crowd of polls costs Redis a few calls a second and process, and PostgreSQL nothing.

When Redis is away: the document is made from PostgreSQL and stands still.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import redis

from flashsale import store
from flashsale.controller import Serving
from flashsale.keys import key
from flashsale.models import LineState
from flashsale.sales import SaleInfo, count_units, find, phase

#: Seconds for which a process keeps its copy.
COPY_SECONDS = 0.25
#: For caches: fresh for as long as the controller takes to write the next one; then one poll fetches it while the
#: others still get the old one for a second. While nobody answers the old one stands, and says itself until when it
#: lets anybody in (RFC 5861).
CACHE_CONTROL = "public, max-age=1, stale-while-revalidate=1, stale-if-error=60"


@dataclass(frozen=True, slots=True)
class Published:
    """One state of the document: the bytes that are sent, their strong entity tag, and what they say."""

    content: bytes
    etag: str
    value: dict[str, Any]


_copies: dict[int, tuple[float, Published]] = {}
_ids: dict[str, int] = {}


def published_as(slug: str, *, now: datetime) -> Published | None:
    """The document of the sale with this slug, without a look at PostgreSQL once the slug is known; None: no sale."""
    sale_id = _ids.get(slug)
    if sale_id is not None:
        known = _copies.get(sale_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        text = _written(sale_id)
        if text is not None:
            return _keep(sale_id, json.loads(text))
    sale = find(slug)
    if sale is None:
        return None
    _ids[slug] = sale.id
    return published(sale, now=now)


def published(sale: SaleInfo, *, now: datetime) -> Published:
    """The document as this process sends it, at most `COPY_SECONDS` behind the controller."""
    known = _copies.get(sale.id)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    return _keep(sale.id, read(sale, now=now))


def read(sale: SaleInfo, *, now: datetime) -> dict[str, Any]:
    """What the controller wrote, or one made from PostgreSQL that stands still."""
    text = _written(sale.id)
    if text is not None:
        return dict(json.loads(text))
    state = LineState.objects.filter(sale_id=sale.id).first() or LineState(sale_id=sale.id)
    served = state.served
    joined = (state.entrants if state.draw_size is None else state.draw_size) + state.last_number
    return compose(
        sale,
        now=now,
        serving=Serving(base=served, rate=0.0, at=now.timestamp(), until=now.timestamp()),
        draw_size=state.draw_size,
        waiting=max(0, joined - int(served)),
    )


def _written(sale_id: int) -> str | None:
    try:
        text = store.client().get(key(sale_id, "line"))
    except redis.RedisError:
        return None
    return str(text) if text else None


def _keep(sale_id: int, value: dict[str, Any]) -> Published:
    content = json.dumps(value, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    kept = Published(content, etag, value)
    _copies[sale_id] = (time.monotonic() + COPY_SECONDS, kept)
    return kept


def forget(sale_id: int) -> None:
    """The document was written anew."""
    _copies.pop(sale_id, None)


def forget_all() -> None:
    """Know no sale any more."""
    _copies.clear()
    _ids.clear()


def _moment(seconds: float) -> str:
    """Seconds since the epoch as the document writes a time."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def read_serving(value: dict[str, Any]) -> Serving:
    """The document's member `serving`."""
    # Of a sale that ended under an older version the document has no pace.
    return _serving(value["base"], value["rate"], value["at"], value["until"], value.get("pace"))


@lru_cache(maxsize=100)
def _serving(base: float, rate: float, at: str, until: str, pace: float | None) -> Serving:
    """Parsed once and not for everybody who joins or enters."""
    return Serving(
        base=base,
        rate=rate,
        at=datetime.fromisoformat(at).timestamp(),
        until=datetime.fromisoformat(until).timestamp(),
        pace=pace,
    )


def compose(
    sale: SaleInfo, *, now: datetime, serving: Serving, draw_size: int | None, waiting: int
) -> dict[str, Any]:
    """The document of one moment; its shape is the API's (`serializers.LineSerializer`). The seed stays out of it
    until the opening."""
    units = count_units(sale)
    return {
        "phase": phase(sale, now=now, units_left=units.left, units_held=units.held),
        "opens_at": sale.opens_at.isoformat(),
        "closes_at": sale.closes_at.isoformat(),
        "now": now.isoformat(),
        "seed_commitment": sale.seed_commitment,
        "seed": sale.seed if now >= sale.opens_at else None,
        "draw_size": draw_size,
        "serving": {
            "base": round(serving.base, 6),
            "rate": round(serving.rate, 6),
            "at": _moment(serving.at),
            "until": _moment(serving.until),
            "pace": serving.pace and round(serving.pace, 6),
        },
        "waiting": waiting,
        "units_left": units.left,
        "units_held": units.held,
    }
