"""Who is asking, at the price of one signature: the hot routes read neither session nor user row.

A signed cookie names the shopper from the first page after sign-in on. It says who, never what they may
do: the account is looked at again when a claim is settled. API clients send a token instead.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.request import Request

COOKIE = "shopper"
_SALT = "holdfast.shopper"


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


def from_cookie(request: HttpRequest) -> UUID | None:
    try:
        value = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=settings.SESSION_COOKIE_AGE
        )
    except signing.BadSignature:
        return None
    return UUID(value)


def keep_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Let the cookie say what the session says, when the session was read anyway."""
    user = request.user
    if not user.is_authenticated:
        if COOKIE in request.COOKIES:
            response.delete_cookie(COOKIE, samesite="Lax")
    elif from_cookie(request) != user.shopper_id:
        response.set_cookie(
            COOKIE,
            signing.dumps(str(user.shopper_id), salt=_SALT),
            max_age=settings.SESSION_COOKIE_AGE,
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
