"""Load shedding: which routes answer at which level, and which level is in force.

PostgreSQL keeps every change (`LoadLevel`); Redis tells the processes. A level other than normal has an end,
and so has its key: no key means normal. Every process looks at most twice a second.

When Redis is away: the level is read from PostgreSQL. When both are away: what was known last stays.
"""

import json
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache

import django.db
import redis
from django.conf import settings
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from flashsale.models import LoadLevel

log = logging.getLogger(__name__)

Level = LoadLevel.Level

KEY = "shedding:level"
#: Seconds between two looks of a process: every process follows within a second.
LOOK_SECONDS = 0.5
#: Seconds that a look may take: the request that pays for it must not notice.
TIMEOUT_SECONDS = 0.1
#: Seconds for which Redis is not asked again after it failed.
AWAY_SECONDS = 2.0
#: The longest time, in minutes, that a level may be held by hand: one day.
LONGEST_MINUTES = 24 * 60


class Priority(IntEnum):
    """How long a route goes on answering while the load grows; the highest is shed last."""

    OPTIONAL = 1
    BROWSING = 2
    ESSENTIAL = 3
    CHECKOUT = 4
    ALWAYS = 5


#: The lowest priority that is still served.
SERVED_FROM = {Level.NORMAL: Priority.OPTIONAL, Level.BROWNOUT: Priority.BROWSING}


@dataclass(frozen=True, slots=True)
class InForce:
    """A level and its end; None means that it has none."""

    level: Level
    until: datetime | None = None


NORMAL = InForce(Level.NORMAL)


class NotAllowed(Exception):
    """The level cannot be set like this; the message says why."""


def is_shed(*, level: Level, priority: Priority) -> bool:
    return priority < SERVED_FROM[level]


def at(known: InForce, *, now: datetime) -> InForce:
    """What is in force at a moment: a level whose time is over is normal by itself."""
    return NORMAL if known.until is not None and now >= known.until else known


def set_level(*, level: Level, minutes: int | None, reason: str, set_by: str) -> LoadLevel:
    """Put a level in force: record it, and tell every process.

    Args:
        minutes: how long; only normal may stay without an end.
        reason: why, for the record.
        set_by: who, for the record.

    Raises:
        NotAllowed: there is no reason, or the time is missing, not positive or longer than a day.
    """
    if not reason.strip():
        raise NotAllowed("Give a reason: it is kept in the record.")
    if minutes is None and level != Level.NORMAL:
        raise NotAllowed("Give an end: a level that nobody ends would stay for ever.")
    if minutes is not None and not 1 <= minutes <= LONGEST_MINUTES:
        raise NotAllowed(f"Choose between 1 and {LONGEST_MINUTES} minutes.")
    until = timezone.now() + timedelta(minutes=minutes) if minutes is not None else None
    row = LoadLevel.objects.create(
        level=level, reason=reason.strip()[:200], until=until, set_by=set_by
    )
    _forget()
    try:
        publish()
    except redis.RedisError:
        log.exception("Redis is away: processes read the level %s from PostgreSQL", level)
    return row


def publish() -> None:
    """Tell the processes what PostgreSQL says. Safe to repeat; a race with `set_level` ends with the next run.

    Raises:
        redis.RedisError: Redis is away.
    """
    known = recorded(now=timezone.now())
    if known.level == Level.NORMAL:
        _client().delete(KEY)
        return
    value = json.dumps({"level": known.level, "until": known.until and known.until.isoformat()})
    _client().set(KEY, value, pxat=known.until)


def recorded(*, now: datetime) -> InForce:
    """What is in force, from PostgreSQL."""
    row = LoadLevel.objects.first()
    return at(InForce(Level(row.level), row.until), now=now) if row else NORMAL


@dataclass
class _Memory:
    """What this process knows. Threads may look at the same time; each answer is as good as the other."""

    known: InForce = NORMAL
    look_at: float = 0.0
    ask_redis_at: float = 0.0


_memory = _Memory()


def current() -> InForce:
    """What is in force now, at most `LOOK_SECONDS` old while Redis or PostgreSQL answers."""
    moment = time.monotonic()
    if moment >= _memory.look_at:
        _memory.look_at = moment + LOOK_SECONDS
        _look(moment)
    return at(_memory.known, now=timezone.now()) if _memory.known is not NORMAL else NORMAL


def _look(moment: float) -> None:
    if moment >= _memory.ask_redis_at:
        try:
            _memory.known = _parse(_client().get(KEY))
        except redis.RedisError:
            _memory.ask_redis_at = moment + AWAY_SECONDS
        else:
            return
    try:
        _memory.known = recorded(now=timezone.now())
    except django.db.Error:
        _memory.look_at = moment + AWAY_SECONDS
        log.warning("Redis and PostgreSQL are away: the load level stays %s", _memory.known.level)


def _parse(text: object) -> InForce:
    if text is None:
        return NORMAL
    value = json.loads(str(text))
    until = value["until"]
    return InForce(Level(value["level"]), datetime.fromisoformat(until) if until else None)


def _forget() -> None:
    """The next look of this process is due now."""
    _memory.look_at = _memory.ask_redis_at = 0.0


@cache
def _client() -> redis.Redis:
    """A client of its own: this one gives up sooner than the sale's."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
