"""Servers that are not there. Of the sale's Redis and the cache's: nobody listens at the address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import OperationalError, connection
from django.test import override_settings

from flashsale import breaker, store

NOBODYS_PORT = 1


@contextmanager
def redis_at(url: str) -> Iterator[None]:
    """The sale's Redis is at another address."""
    before = settings.REDIS_URL
    try:
        settings.REDIS_URL = url
        _forget_connections()
        yield
    finally:
        settings.REDIS_URL = before
        _forget_connections()


@contextmanager
def redis_away() -> Iterator[None]:
    with socket.socket() as taken:
        # Bound and not listening: the port is nobody else's, and connecting to it is refused.
        taken.bind(("127.0.0.1", 0))
        with redis_at(f"redis://127.0.0.1:{taken.getsockname()[1]}/0"):
            yield


def _forget_connections() -> None:
    breaker.calls.worked()
    store.client.cache_clear()
    store.script.cache_clear()
    store._pool.cache_clear()
    store._held.connection = None


@contextmanager
def cache_away(*, client: str = "config.caches.RestingRedis") -> Iterator[list[str]]:
    """Both caches are away; commands that are sent to them meanwhile. The breaker's clock stands still, so that a slow
    machine does not come to the end of a rest."""
    sent: list[str] = []
    ask = redis.Redis.execute_command

    def counting(one: Any, *args: Any, **options: Any) -> Any:
        if one.connection_pool.connection_kwargs["port"] == NOBODYS_PORT:
            sent.append(args[0])
        return ask(one, *args, **options)  # type: ignore[no-untyped-call]  # redis-py's

    caches: dict[str, dict[str, Any]] = settings.CACHES
    away = {
        name: {
            **cache,
            "LOCATION": f"redis://127.0.0.1:{NOBODYS_PORT}/0",
            "OPTIONS": {**cache["OPTIONS"], "REDIS_CLIENT_CLASS": client},
        }
        for name, cache in caches.items()
    }
    with override_settings(CACHES=away), pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis.Redis, "execute_command", counting)
        moment = monotonic()
        patch.setattr("shop.breakers.monotonic", lambda: moment)
        yield sent


@contextmanager
def database_away() -> Iterator[list[str]]:
    """What this thread asks of PostgreSQL fails as when it is away; the statements. With a real one that really goes
    away: `tests/faults/test_database_away.py`."""
    asked: list[str] = []

    def refuse(execute: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)
        raise OperationalError("the connection is closed")

    with connection.execute_wrapper(refuse):
        yield asked
