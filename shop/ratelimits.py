"""Limits on how often somebody may try: per account, per session and per address.

Counts live in Redis through django-ratelimit. With Redis away nobody is limited (fails open): shoppers go
first, and the limits on correctness are elsewhere. The cache's breaker then spares each request the time-outs.
The window is fixed, so up to twice the limit can pass across its edge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django_ratelimit.core import get_usage
from django_ratelimit.exceptions import Ratelimited

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class TooManyRequestsError(Ratelimited):
    """Too many attempts. Try again later."""

    def __init__(self, *, retry_after: int) -> None:
        """`retry_after` is in whole seconds."""
        self.retry_after = retry_after
        super().__init__(f"Too many attempts. Try again in {retry_after} seconds.")


@dataclass(frozen=True)
class Limit:
    """`rate` as django-ratelimit writes it (`10/5m`); `key` names whom it counts, None counts nobody."""

    rate: str
    key: Callable[[HttpRequest], str | None]


def client_address(request: HttpRequest) -> str:
    """The address that the outermost trusted proxy saw, or the peer's own.

    With n trusted proxies the n-th entry of X-Forwarded-For from the right is theirs; everything left of
    it was written by the client and proves nothing. IPv6 counts by its /64: one household has a whole one.
    """
    peer = str(request.META.get("REMOTE_ADDR") or "127.0.0.1")
    if proxies := settings.TRUSTED_PROXIES:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= proxies:
            return _network(forwarded[-proxies].strip()) or _network(peer) or peer
    return _network(peer) or peer


def by_address(request: HttpRequest) -> str:
    return client_address(request)


def by_session(request: HttpRequest) -> str | None:
    """The browser's session; a client without one is counted by its address and account."""
    return request.session.session_key if hasattr(request, "session") else None


def by_account(request: HttpRequest) -> str | None:
    """The account that is signed in."""
    return str(request.user.pk) if request.user.is_authenticated else None


def by_address_of_guests(request: HttpRequest) -> str | None:
    """The address of somebody who is not signed in: many accounts may share one address."""
    return None if request.user.is_authenticated else client_address(request)


def by_session_of_guests(request: HttpRequest) -> str | None:
    """The browser of somebody who is not signed in."""
    return None if request.user.is_authenticated else by_session(request)


def of_shoppers(*, each: str, address: str) -> tuple[Limit, ...]:
    """Tight for an account and for a guest's browser, generous for all guests of one address.

    A school, an office or a provider's network may be one address; and who begins a new session for each try
    still has only that one.
    """
    return (
        Limit(each, by_account),
        Limit(each, by_session_of_guests),
        Limit(address, by_address_of_guests),
    )


def by_posted_email(request: HttpRequest) -> str | None:
    """The account that somebody tries to sign in to, whether it exists or not."""
    posted = getattr(request, "data", request.POST)
    if not isinstance(posted, Mapping):
        return None
    return str(posted.get("login") or posted.get("email") or "").strip().lower() or None


def by_account_half_way(request: HttpRequest) -> str | None:
    """The account whose password was right and whose second factor is being asked for."""
    return (request.session.get("account_login") or {}).get("user_pk")


def count_attempt(*, request: HttpRequest, name: str, rate: str, key: str) -> int | None:
    """Count one attempt of `key` at `name`; None, or the seconds to wait when it was one too many."""
    if not settings.RATELIMIT_ENABLE:
        return None
    usage = get_usage(
        request, group=name, rate=rate, key=lambda group, request: key, increment=True
    )
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else None


def enforce(*, request: HttpRequest, name: str, limits: tuple[Limit, ...]) -> None:
    """Count this attempt against every limit.

    Raises:
        TooManyRequestsError: at least one is exceeded.
    """
    waits = [
        wait
        for position, limit in enumerate(limits)
        if (key := limit.key(request)) is not None
        and (
            wait := count_attempt(
                request=request, name=f"{name}:{position}", rate=limit.rate, key=key
            )
        )
    ]
    if waits:
        raise TooManyRequestsError(retry_after=max(waits))


def limited(name: str, *limits: Limit) -> Callable[[View], View]:
    """Limit what changes something at a view: POST, PUT, PATCH and DELETE count, reading does not.

    One too many raises `TooManyRequestsError`; `shop.problems` answers it with 429 and Retry-After.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def limited_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                enforce(request=request, name=name, limits=limits)
            return view(request, *args, **kwargs)

        return cast("View", limited_view)

    return decorate


def _network(text: str) -> str | None:
    """Whom an address counts as; None for what is none. Asked of the C library: it is fifteen times faster."""
    try:
        if ":" not in text:
            inet_pton(AF_INET, text)
            return text
        return f"{inet_pton(AF_INET6, text)[:8].hex(':', 2)}::/64"
    except (OSError, ValueError):
        return None


#: Guessing a password: per account tried, per browser and per address.
SIGN_IN_LIMITS = (
    Limit("10/5m", by_posted_email),
    Limit("20/5m", by_session),
    Limit("60/5m", by_address),
)
#: Guessing six digits: a code lives half a minute, so this leaves no chance worth trying.
SECOND_FACTOR_LIMITS = (Limit("10/10m", by_account_half_way), Limit("60/5m", by_address))
#: Letters that somebody else's mailbox may get, and accounts that one address may open.
SIGN_UP_LIMITS = (Limit("5/10m", by_posted_email), Limit("30/10m", by_address))
#: Changes of one's own account that ask for a password or send mail.
ACCOUNT_LIMITS = (Limit("20/5m", by_account), Limit("60/5m", by_address))
