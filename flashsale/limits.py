"""How often one shopper, one browser and one address may knock at the sale's doors.

Shoppers are counted by the signed cookie, so counting reads no session row and no user row. An address may
be a whole campus: its limits only stop a machine gun.

Clicks on Buy, joining and entering are counted in the process, orders in Redis. With n processes up to n times the
limit passes, and whoever passes gets no more for it: a shopper has one place in line, one admission, and the limit
that PostgreSQL keeps.
"""

import math
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from flashsale.shoppers import Shopper, identify
from shop.ratelimits import Limit, TooManyRequestsError, by_address, by_session, client_address


def by_shopper(request: HttpRequest) -> str | None:
    named = request.user.id if isinstance(request.user, Shopper) else identify(request)
    return str(named) if named else None


#: Ordering and paying for what is held. A shopper who means it needs a few.
ORDER_LIMITS = (
    Limit("20/m", by_shopper),
    Limit("60/m", by_session),
    Limit("12000/m", by_address),
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Attempts of one kind that are let through in a window, of one shopper, one browser and one address."""

    name: str
    of_shopper: int
    of_session: int
    of_address: int


BUY = Allowance("buy", 20, 60, 12_000)
#: Joining and asking to enter: a browser does each once, and again after a refusal.
LINE = Allowance("line", 60, 120, 12_000)
WINDOW_SECONDS = 60.0
SESSION_COOKIE: str = settings.SESSION_COOKIE_NAME
#: Counts that a process keeps, about 10 MB; more begin a new window early.
MOST_COUNTS = 100_000


@dataclass
class _Window:
    """Attempts in this process so far, by the hash of what and who: its size does not depend on what is sent.

    Two threads may lose a count between them, which a limit of this kind can bear.
    """

    ends: float = 0.0
    counts: dict[int, int] = field(default_factory=dict)


_window = _Window()


def count(request: HttpRequest, *, allowance: Allowance, shopper: UUID | None) -> None:
    """Count an attempt against the shopper, the browser and the address.

    Raises:
        TooManyRequestsError: one of them has tried too often in this window.
    """
    if not settings.RATELIMIT_ENABLE:
        return
    now = time.monotonic()
    if now >= _window.ends or len(_window.counts) >= MOST_COUNTS:
        _window.ends, _window.counts = now + WINDOW_SECONDS, {}
    session = request.COOKIES.get(SESSION_COOKIE)
    counts = _window.counts
    is_over = False
    for who, most in (
        (shopper, allowance.of_shopper),
        (session, allowance.of_session),
        (client_address(request), allowance.of_address),
    ):
        if who:
            name = hash((allowance.name, most, who))
            counts[name] = number = counts.get(name, 0) + 1
            is_over = is_over or number > most
    if is_over:
        raise TooManyRequestsError(retry_after=max(1, math.ceil(_window.ends - now)))


def forget_counts() -> None:
    """Begin a new window."""
    _window.ends = 0.0
