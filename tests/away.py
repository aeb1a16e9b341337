"""A sale's Redis that is not there: nobody listens at its address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from flashsale import store


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
    store.client.cache_clear()
    store.script.cache_clear()
    store._pool.cache_clear()
    store._held.connection = None
