"""What a thread of the web server leaves behind when it ends."""

import threading
from typing import Any


class _Guard:
    """Closes a connection when its thread is gone.

    Granian ends threads that have nothing to do. Django's object for a connection is part of a cycle, so the session in
    PostgreSQL would stay until the garbage collector comes by, which in a quiet shop is hours later.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()


_own = threading.local()


def guard(connection: Any, **kwargs: Any) -> None:
    """To be told of each connection that Django opens (its signal `connection_created`)."""
    _own.guard = _Guard(connection.connection)
