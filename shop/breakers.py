"""Whether to ask a server that did not answer a moment ago.

A circuit breaker (M. Nygard, Release It!, 2007), kept by each process for each server: a Redis, a payment provider.
Some calls in a row without an answer open it: for a moment nobody in this process pays for another time-out. Then one
caller at a time tries.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import redis


class Breaker:
    """Closed, everybody may try. Open, one caller after each rest, who reports what came of it as everybody does."""

    def __init__(
        self, *, unanswered: int = 1, first_rest: float = 0.5, longest_rest: float = 5.0
    ) -> None:
        """
        Args:
            unanswered: calls in a row without an answer that open it.
            first_rest: seconds of the rest that begins then; each further failure in a row doubles it.
            longest_rest: seconds at which that ends.
        """
        self._unanswered = unanswered
        self._first_rest, self._longest_rest = first_rest, longest_rest
        self._lock = threading.Lock()
        self._failures = 0
        self._rest = first_rest
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._unanswered

    def may_try(self) -> bool:
        """Whether to ask; after a rest one caller may, and at once another rest begins for the others."""
        if not self.is_open:
            return True
        with self._lock:
            if monotonic() < self._rests_until:
                return False
            self._rests_until = monotonic() + self._longest_rest
            return True

    def failed(self) -> None:
        with self._lock:
            self._rest = (
                min(self._longest_rest, self._rest * 2) if self.is_open else self._first_rest
            )
            self._failures += 1
            self._rests_until = monotonic() + self._rest

    def worked(self) -> None:
        with self._lock:
            self._failures = 0

    def ask(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What a call of Redis returns.

        Raises:
            redis.ConnectionError: Redis is away, or was a moment ago; then the call was not made.
            redis.TimeoutError: it did not answer.
        """
        if not self.may_try():
            raise redis.ConnectionError("Redis did not answer a moment ago.")
        try:
            answer = call(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError):
            self.failed()
            raise
        if self._failures:
            self.worked()
        return answer
