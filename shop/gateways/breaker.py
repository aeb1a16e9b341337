"""Whether a request still waits for a provider that does not answer.

One breaker for each gateway: the provider's time limits must not take every thread from the pages. Beat asks all the
same, in its own process.
"""

from shop.breakers import Breaker

#: Calls in a row without an answer after which requests do not ask; one or two are anybody's bad luck.
UNANSWERED = 3
#: Seconds until one request tries again.
REST_SECONDS = 5.0

_breakers: dict[str, Breaker] = {}


def of(gateway: str) -> Breaker:
    if gateway not in _breakers:
        _breakers[gateway] = Breaker(
            unanswered=UNANSWERED, first_rest=REST_SECONDS, longest_rest=REST_SECONDS
        )
    return _breakers[gateway]


def forget_all() -> None:
    _breakers.clear()
