"""The sale's Redis: one client a process, and one held connection a thread for the scripts of a click.

Time-outs are short, scripts are loaded once and sent by digest. When it is away: `redis.RedisError` reaches
the caller, who says what that means for the shopper; until it answers again, most of them are told at once
(`breaker.calls`).
"""

import hashlib
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import hiredis
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from flashsale import breaker

SCRIPTS = Path(__file__).parent / "scripts"


class _Client(redis.Redis):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        return breaker.calls.ask(super().execute_command, *args, **options)


@cache
def client() -> Any:
    """The process's `redis.Redis`. Connections are pooled, and safe among threads and after a fork.

    Typed loosely: redis-py types answers as text or bytes, whatever `decode_responses` says.
    """
    return _Client.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=settings.REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.REDIS_TIMEOUT_SECONDS,
        health_check_interval=30,
        # One more try: a restarted server closes pooled connections. No script does harm when repeated.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@cache
def script(name: str) -> Script:
    """The script `scripts/<name>.lua`; its header says what it takes and returns."""
    return Script(client(), _source(name))


def run(name: str, *, keys: list[str], args: list[Any]) -> Any:
    """Run a script over this thread's held connection, in a third of the time that the client takes.

    Raises:
        redis.TimeoutError: no answer within HOT_REDIS_TIMEOUT_SECONDS; the script may have run.
        redis.RedisError: Redis is away, or the script failed.
    """
    return breaker.calls.ask(_run, name, keys, args)


def _run(name: str, keys: list[str], args: list[Any]) -> Any:
    connection = _held_connection()
    rest = (len(keys), *keys, *args)
    was_open = connection.is_connected
    try:
        try:
            return _ask(connection, "EVALSHA", _digest(name), *rest)
        except redis.ConnectionError:
            if not was_open:
                raise
            # A restarted server closed what we held. No script does harm when repeated.
            return _ask(connection, "EVALSHA", _digest(name), *rest)
    except redis.exceptions.NoScriptError:
        return _ask(connection, "EVAL", _source(name), *rest)


def _ask(connection: Any, *command: Any) -> Any:
    try:
        connection.send_packed_command([hiredis.pack_command(command)], check_health=False)
        return connection.read_response()
    except redis.ResponseError:
        raise  # a whole reply was read: the connection is good
    except BaseException:
        # The reply may still come: nobody may take it for the answer to another question.
        connection.disconnect()
        raise


_held = threading.local()


def _held_connection() -> Any:
    """This thread's own connection; a forked child does not share its parent's."""
    connection = getattr(_held, "connection", None)
    if connection is None or connection.pid != os.getpid():
        pool = _pool()
        connection = _held.connection = pool.connection_class(**pool.connection_kwargs)
    return connection


@cache
def _pool() -> redis.ConnectionPool:
    """Reads the URL for us; no connection is ever taken from it."""
    return redis.ConnectionPool.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        protocol=2,
        socket_timeout=settings.HOT_REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=settings.HOT_REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def _source(name: str) -> str:
    return (SCRIPTS / f"{name}.lua").read_text()


@cache
def _digest(name: str) -> str:
    return hashlib.sha1(_source(name).encode(), usedforsecurity=False).hexdigest()


def load_scripts() -> list[str]:
    """Load every script into the server and return their names."""
    names = sorted(path.stem for path in SCRIPTS.glob("*.lua"))
    for name in names:
        client().script_load(_source(name))
    return names
