"""The cache's Redis away: nobody pays for it twice.

django-redis takes a failed call for a miss (`IGNORE_EXCEPTIONS`), but a server that hangs costs each of them a
time-out, and a page makes several. So after a failure this process asks nobody for a moment: kept pages are made
anew, and limits let everybody pass.
"""

from typing import Any

import redis

from shop.breakers import Breaker

#: Both caches are on one server.
breaker = Breaker()


class RestingRedis(redis.Redis):
    """The client that django-redis makes for each cache."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, unless one has just failed.

        Raises:
            redis.ConnectionError: the server is away, or was a moment ago.
            redis.TimeoutError: it did not answer.
        """
        return breaker.ask(super().execute_command, *args, **options)
