"""How often one shopper, one browser and one address may knock at the sale's doors.

Shoppers are counted by the signed cookie, so counting reads no session row and no user row. An address may
be a whole campus: its limits only stop a machine gun.

Clicks on Buy are counted in the process, the others in Redis: with n processes up to n times the limit
passes, and whoever passes buys no more for it, because the limit per shopper is kept in PostgreSQL.
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


#: Joining and asking to enter: a browser does each once, and again after a refusal.
LINE_LIMITS = (
    Limit("60/m", by_shopper),
    Limit("120/m", by_session),
    Limit("12000/m", by_address),
)
#: Ordering and paying for what is held. A shopper who means it needs a few.
ORDER_LIMITS = (
    Limit("20/m", by_shopper),
    Limit("60/m", by_session),
    Limit("12000/m", by_address),
)
#: Clicks on Buy in a window.
CLICKS_OF_SHOPPER, CLICKS_OF_SESSION, CLICKS_OF_ADDRESS = 20, 60, 12_000
WINDOW_SECONDS = 60.0
#: Counts that a process keeps, about 10 MB; more begin a new window early.
MOST_COUNTS = 100_000


@dataclass
class _Window:
    """Clicks of this process so far, by the hash of who clicked: its size does not depend on what is sent.

    Two threads may lose a count between them, which a limit of this kind can bear.
    """

    ends: float = 0.0
    counts: dict[int, int] = field(default_factory=dict)


_window = _Window()


def count_click(request: HttpRequest, *, shopper: UUID | None) -> None:
    """Count a click on Buy against the shopper, the browser and the address.

    Raises:
        TooManyRequestsError: one of them has clicked too often in this window.
    """
    if not settings.RATELIMIT_ENABLE:
        return
    now = time.monotonic()
    if now >= _window.ends or len(_window.counts) >= MOST_COUNTS:
        _window.ends, _window.counts = now + WINDOW_SECONDS, {}
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    counts = _window.counts
    is_over = False
    for who, most in (
        (shopper, CLICKS_OF_SHOPPER),
        (session, CLICKS_OF_SESSION),
        (client_address(request), CLICKS_OF_ADDRESS),
    ):
        if who:
            name = hash((most, who))
            counts[name] = count = counts.get(name, 0) + 1
            is_over = is_over or count > most
    if is_over:
        raise TooManyRequestsError(retry_after=max(1, math.ceil(_window.ends - now)))


def forget_clicks() -> None:
    """Begin a new window."""
    _window.ends = 0.0
