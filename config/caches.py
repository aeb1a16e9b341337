"""The cache's Redis away: nobody pays for it twice.

django-redis takes a failed call for a miss (`IGNORE_EXCEPTIONS`), but a server that hangs costs each of them a
time-out, and a page makes several. So after a failure this process asks nobody for a moment (a circuit breaker:
M. Nygard, Release It!, 2007): kept pages are made anew, and limits let everybody pass.
"""

import time
from typing import Any

import redis

#: Seconds without a call after one that failed.
REST_SECONDS = 3.0
_rests_until = 0.0


class RestingRedis(redis.Redis):
    """The client that django-redis makes for each cache; all of them are on one server."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, unless one has just failed.

        Raises:
            redis.ConnectionError: the server is away, or was a moment ago.
            redis.TimeoutError: it did not answer.
        """
        global _rests_until
        if time.monotonic() < _rests_until:
            raise redis.ConnectionError("The cache did not answer a moment ago.")
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's
        except (redis.ConnectionError, redis.TimeoutError):
            _rests_until = time.monotonic() + REST_SECONDS
            raise


def forget_failures() -> None:
    """Ask again at once."""
    global _rests_until
    _rests_until = 0.0
