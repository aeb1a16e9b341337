"""Whether this process tries the sale's Redis, or takes it to be away.

Circuit breakers (M. Nygard, Release It!, 2007). A call that failed opens `calls`: for a moment nobody in this process
pays for another time-out, whatever it is that they want of Redis; then one caller tries. A claim that failed opens
`redis` besides, and claims go straight to PostgreSQL until one caller has set the gate anew: never through a gate that
stood still while PostgreSQL sold on.
"""

import threading
import time

#: Seconds of the first rest after a failure; each further one in a row doubles it, up to the longest.
FIRST_REST, LONGEST_REST = 0.5, 5.0


class Breaker:
    """Closed: `is_open` is False. Open: True, but for one caller after each rest, who must report what came of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures > 0

    def may_try(self) -> bool:
        """Whether the caller is the one to look if Redis is back; at once another rest begins for the others."""
        with self._lock:
            if not self._failures or time.monotonic() < self._rests_until:
                return False
            self._rests_until = time.monotonic() + LONGEST_REST
            return True

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            rest = min(LONGEST_REST, FIRST_REST * 2 ** (self._failures - 1))
            self._rests_until = time.monotonic() + rest

    def worked(self) -> None:
        with self._lock:
            self._failures = 0


#: Claims: closed again by a sync.
redis = Breaker()
#: Every call of `store`: closed again by the first that is answered.
calls = Breaker()
