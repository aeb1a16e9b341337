"""The sale's Redis: one client a process, short time-outs, scripts loaded once and sent by digest.

When it is away: `redis.RedisError` reaches the caller, who says what that means for the shopper.
"""

from functools import cache
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

SCRIPTS = Path(__file__).parent / "scripts"


@cache
def client() -> Any:
    """The process's `redis.Redis`. Connections are pooled, and safe among threads and after a fork.

    Typed loosely: redis-py types answers as text or bytes, whatever `decode_responses` says.
    """
    return redis.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        health_check_interval=30,
        # One more try: a restarted server closes pooled connections. No script does harm when repeated.
        retry=Retry(NoBackoff(), 1),
    )


@cache
def script(name: str) -> Script:
    """The script `scripts/<name>.lua`; its header says what it takes and returns."""
    return Script(client(), (SCRIPTS / f"{name}.lua").read_text())


def load_scripts() -> list[str]:
    """Load every script into the server and return their names."""
    names = sorted(path.stem for path in SCRIPTS.glob("*.lua"))
    for name in names:
        client().script_load(str(script(name).script))
    return names
