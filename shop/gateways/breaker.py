"""Whether a request still waits for a provider that does not answer.

A circuit breaker (M. Nygard, Release It!, 2007), one for each gateway in each process. Some calls in a row
without an answer open it: for a moment no request of this process asks, so that the provider's time limits do
not take every thread from the pages. Then one at a time tries. Beat asks all the same, in its own process.
"""

import threading
from time import monotonic

#: Calls in a row without an answer after which requests do not ask; one or two are anybody's bad luck.
UNANSWERED = 3
#: Seconds until one request tries again.
REST_SECONDS = 5.0


class Breaker:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unanswered = 0
        self._rests_until = 0.0

    def may_ask(self) -> bool:
        """Whether to ask; after a rest one caller may, and at once another rest begins for the others."""
        with self._lock:
            if self._unanswered < UNANSWERED:
                return True
            if monotonic() < self._rests_until:
                return False
            self._rests_until = monotonic() + REST_SECONDS
            return True

    def failed(self) -> None:
        with self._lock:
            self._unanswered += 1
            self._rests_until = monotonic() + REST_SECONDS

    def worked(self) -> None:
        with self._lock:
            self._unanswered = 0


_breakers: dict[str, Breaker] = {}


def of(gateway: str) -> Breaker:
    return _breakers.setdefault(gateway, Breaker())


def forget_all() -> None:
    _breakers.clear()
