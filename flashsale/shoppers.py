"""Who is asking, at the price of one signature: the hot routes read neither session nor user row.

A signed cookie names the shopper from the first page after sign-in on. It says who, never what they may
do: the account is looked at again when a claim is settled. API clients send a token instead.
"""

import time
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.request import Request

from flashsale.signatures import QuickSigner
from shop.models import User

#: Seconds for which a process believes a token that it has looked up.
TOKEN_SECONDS = 10.0
#: Tokens that a process remembers, a few MB.
MOST_TOKENS = 10_000

COOKIE = "shopper"
#: A lookup in the settings costs two microseconds each time.
COOKIE_SECONDS: int = settings.SESSION_COOKIE_AGE


@dataclass(frozen=True, slots=True)
class Shopper:
    """An account, known by its public id alone. Stands for `request.user` on the sale's API routes."""

    id: UUID
    is_authenticated: bool = True

    @property
    def pk(self) -> UUID:
        return self.id


def identify(request: HttpRequest) -> UUID | None:
    """The shopper of a page: from the signed cookie, else from the session."""
    named = from_cookie(request)
    if named is not None:
        return named
    return request.user.shopper_id if request.user.is_authenticated else None


@cache
def _signer() -> QuickSigner:
    return QuickSigner(salt="holdfast.shopper")


def sign_cookie(shopper: UUID) -> str:
    return _signer().sign(f"{shopper}:{int(time.time()):x}")


def from_cookie(request: HttpRequest) -> UUID | None:
    try:
        shopper, _, signed_at = _signer().unsign(request.COOKIES.get(COOKIE, "")).partition(":")
    except signing.BadSignature:
        return None
    is_too_old = time.time() - int(signed_at, 16) > COOKIE_SECONDS
    return None if is_too_old else UUID(shopper)


_tokens: dict[str, tuple[float, UUID]] = {}


def from_token(key: str) -> UUID | None:
    """The active account of an API token, looked up once in `TOKEN_SECONDS` and process.

    With PostgreSQL away a token is believed that was known before.
    """
    now = time.monotonic()
    known = _tokens.get(key)
    if known is not None and now < known[0]:
        return known[1]
    active = User.objects.filter(auth_token__key=key, is_active=True)
    try:
        shopper = active.values_list("shopper_id", flat=True).first()
    except (OperationalError, InterfaceError):
        if known is None:
            raise
        shopper = known[1]
    if shopper is not None:
        if len(_tokens) >= MOST_TOKENS:
            _tokens.clear()
        _tokens[key] = (now + TOKEN_SECONDS, shopper)
    return shopper


def forget_tokens() -> None:
    """Look every token up again."""
    _tokens.clear()


def keep_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Let the cookie say what the session says, when the session was read anyway."""
    user = request.user
    if not user.is_authenticated:
        if COOKIE in request.COOKIES:
            response.delete_cookie(COOKIE, samesite="Lax")
    elif from_cookie(request) != user.shopper_id:
        response.set_cookie(
            COOKIE,
            sign_cookie(user.shopper_id),
            max_age=COOKIE_SECONDS,
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )


class ShopperAuthentication(TokenAuthentication):
    """API clients by `Authorization: Token ...`; browsers by their cookie, with CSRF protection."""

    def authenticate(self, request: Request) -> tuple[Shopper, object] | None:
        by_token = super().authenticate(request)
        if by_token is not None:
            user, token = by_token
            return Shopper(user.shopper_id), token
        shopper = identify(request._request)
        if shopper is None:
            return None
        SessionAuthentication().enforce_csrf(request)
        return Shopper(shopper), None
