"""Who is asking: by token, or by signed cookie with Django's CSRF check."""

from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest, get_str_from_wsgi
from django.http import QueryDict, parse_cookie
from django.middleware.csrf import CSRF_SECRET_LENGTH, RejectRequest
from rest_framework.authentication import CSRFCheck

from flashsale import shoppers

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

Headers = list[tuple[str, str]]


@dataclass
class Place:
    """Where a call came in: host, scheme and origin.

    Attributes:
        headers: what Django sends there with every answer of one route; None: Django answers.
        is_secure: the browser's connection is, so cookies are for such ones alone.
        is_ours: a call passed Django's look at the origin there.
    """

    headers: Headers | None
    is_secure: bool
    is_ours: bool = False


class Call(WSGIRequest):
    """As much of Django's request as its CSRF check and the limits look at."""

    POST = QueryDict()

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = self.META = environ
        self.method = environ["REQUEST_METHOD"]
        self._cookies: dict[str, str] | None = None

    @property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802 -- Django's name
        """As Django reads them; those that no browser would quote are split at once."""
        if self._cookies is None:
            self._cookies = self._read_cookies()
        return self._cookies

    def _read_cookies(self) -> dict[str, str]:
        sent = self.META.get("HTTP_COOKIE", "")
        if '"' in sent or "\\" in sent or not sent.isascii():
            return parse_cookie(get_str_from_wsgi(self.META, "HTTP_COOKIE", ""))
        return {
            name: value for name, _, value in (each.partition("=") for each in sent.split("; "))
        }


def _never(*args: Any) -> Any:
    """What Django's middleware wants to be given and does not call."""
    raise NotImplementedError


_csrf = CSRFCheck(_never)


def identify(call: Call, place: Place) -> UUID | None:
    """The shopper; None when Django shall say."""
    if "HTTP_AUTHORIZATION" in call.META:
        scheme, _, key = call.META["HTTP_AUTHORIZATION"].partition(" ")
        return shoppers.from_token(key) if scheme == "Token" else None
    shopper = shoppers.from_cookie(call)
    return shopper if shopper and _passes_csrf(call, place) else None


CSRF_COOKIE = settings.CSRF_COOKIE_NAME


def _sends_the_secret(call: Call) -> bool:
    """Whether the header repeats the cookie, unmasked: a script of ours has read it (`django.middleware.csrf`)."""
    secret, sent = call.COOKIES.get(CSRF_COOKIE, ""), call.META.get("HTTP_X_CSRFTOKEN", "")
    return (
        len(secret) == CSRF_SECRET_LENGTH
        and secret.isalnum()
        and secret.isascii()
        and sent.isascii()
        and compare_digest(secret, sent)
    )


def _passes_csrf(call: Call, place: Place) -> bool:
    """Django's own check, whose part about the origin is not repeated where it was passed before."""
    if place.is_ours:
        if _sends_the_secret(call):
            return True
        try:
            _csrf._check_token(call)  # type: ignore[attr-defined]  # Django's, not in its stubs
        except RejectRequest:
            return False
        return True
    _csrf.process_request(call)
    passes = _csrf.process_view(call, _never, (), {}) is None
    place.is_ours = passes and "HTTP_ORIGIN" in call.META
    return passes
