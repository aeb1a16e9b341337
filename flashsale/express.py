"""The express way: clicks on Buy are answered in front of Django, when nothing about them is in doubt.

It stands for the Django route of the same address (`flashsale.api.BuyView`) and shares with it all that decides
and answers. Whatever it does not know for certain it hands to Django, with the body as it came. It may do so
even after a claim, because it takes no click without an Idempotency-Key: the same attempt is the same purchase.
"""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from django.middleware.csrf import RejectRequest
from rest_framework.authentication import CSRFCheck

from flashsale import clicks, sales, shedding, shoppers
from flashsale.cookies import admission_cookie
from flashsale.limits import count_click
from flashsale.shedding import Level
from shop.ratelimits import TooManyRequestsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

ADDRESS = re.compile(r"/api/v1/sales/([-a-zA-Z0-9_]+)/purchases/")
#: Bytes. An admission has about 110.
LONGEST_BODY = 1024
MEMBERS = {"admission", "item", "quantity"}
#: What Django takes further is its own affair.
MOST_OF_QUANTITY, MOST_OF_ITEM, LONGEST_ATTEMPT, LONGEST_ADMISSION = 1000, 2**62, 200, 300

#: What Django's headers, and its look at the origin, depend on besides the settings.
PLACE = (
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "wsgi.url_scheme",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
)
#: Headers that belong to one answer and not to all of them.
OF_ONE_ANSWER = {"Content-Type", "Content-Length", "WWW-Authenticate"}
#: Places that are kept; more are learnt anew.
MOST_PLACES = 100

Headers = list[tuple[str, str]]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass
class _Place:
    """`headers` that Django sends there, or None: Django answers. `is_ours`: a click passed its CSRF check there."""

    headers: Headers | None
    is_ours: bool = False


class _Click(WSGIRequest):
    """As much of Django's request as its CSRF check and the limits look at."""

    POST = QueryDict()

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = self.META = environ
        self.method = "POST"


def in_front_of(application: "WSGIApplication") -> "WSGIApplication":
    """`application`, Django's own, behind the express way."""
    places: dict[tuple[Any, ...], _Place] = {}

    def express(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = ADDRESS.fullmatch(environ["PATH_INFO"])
        if found is None or not _is_usual(environ):
            return application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = BytesIO(body)
        try:
            name = tuple(map(environ.get, PLACE))
            place = places.get(name)
            if place is None:
                if len(places) >= MOST_PLACES:
                    places.clear()
                place = places[name] = _Place(_learn_headers(application, environ))
            reply = _take(environ, place, found[1], body) if place.headers else None
        except Exception:
            log.exception("The express way failed; Django is asked")
            reply = None
        if reply is None or place is None or place.headers is None:
            return application(environ, start_response)
        content = _encode(reply.document).encode()
        start_response(
            _status_line(reply.status),
            [
                ("Content-Type", reply.content_type),
                ("Content-Length", str(len(content))),
                *reply.headers.items(),
                *place.headers,
            ],
        )
        return [content]

    return express


@cache
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _is_usual(environ: "WSGIEnvironment") -> bool:
    """Whether this is a click as our own page and API clients send it."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == "application/json"
        and environ.get("HTTP_ACCEPT", "*/*") in ("*/*", "application/json")
        and not environ.get("QUERY_STRING")
        and not environ.get("SCRIPT_NAME")
        and length.isdecimal()
        and int(length) <= LONGEST_BODY
        and 0 < len(environ.get("HTTP_IDEMPOTENCY_KEY", "")) <= LONGEST_ATTEMPT
        and shedding.current().level == Level.NORMAL
    )


def _take(environ: "WSGIEnvironment", place: _Place, slug: str, body: bytes) -> clicks.Reply | None:
    """Take a click and answer it; None when Django shall."""
    said = json.loads(body.decode())
    if not isinstance(said, dict) or not said.keys() <= MEMBERS:
        return None
    item, quantity, admission = said.get("item"), said.get("quantity", 1), said.get("admission")
    if type(item) is not int or not 1 <= item <= MOST_OF_ITEM:
        return None
    if type(quantity) is not int or not 1 <= quantity <= MOST_OF_QUANTITY:
        return None
    if admission is not None and not _is_text(admission):
        return None
    request = _Click(environ)
    shopper = _identify(request, place)
    if shopper is None:
        return None
    sale = sales.find(slug)
    if sale is None:
        return None
    try:
        count_click(request, shopper=shopper)
    except TooManyRequestsError as error:
        return clicks.refusal(429, "too_many_requests", str(error), retry_after=error.retry_after)
    return clicks.take(
        sale=sale,
        shopper=shopper,
        admission=admission or request.COOKIES.get(admission_cookie(sale), ""),
        item=item,
        quantity=quantity,
        attempt=environ["HTTP_IDEMPOTENCY_KEY"],
        now=datetime.now(tz=UTC),
    )


def _is_text(value: Any) -> bool:
    """Whether REST framework's field would take a value as it is."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_ADMISSION
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    )


def _never(*args: Any) -> Any:
    """What Django's middleware wants to be given and does not call."""
    raise NotImplementedError


_csrf = CSRFCheck(_never)


def _identify(request: _Click, place: _Place) -> UUID | None:
    """The shopper, by token, or by signed cookie and Django's CSRF check; None when Django shall say."""
    if "HTTP_AUTHORIZATION" in request.META:
        scheme, _, key = request.META["HTTP_AUTHORIZATION"].partition(" ")
        return shoppers.from_token(key) if scheme == "Token" else None
    shopper = shoppers.from_cookie(request)
    return shopper if shopper and _passes_csrf(request, place) else None


def _passes_csrf(request: _Click, place: _Place) -> bool:
    """Django's own check, whose part about the origin is not repeated where it was passed before."""
    if place.is_ours:
        try:
            _csrf._check_token(request)  # type: ignore[attr-defined]  # Django's, not in its stubs
        except RejectRequest:
            return False
        return True
    _csrf.process_request(request)
    passes = _csrf.process_view(request, _never, (), {}) is None
    place.is_ours = passes and "HTTP_ORIGIN" in request.META
    return passes


def _learn_headers(application: "WSGIApplication", environ: "WSGIEnvironment") -> Headers | None:
    """What Django sends with every answer of this route, from its answer to a click that names no token.

    None when it does not come as far as asking for one: it does not serve the host, or sends everybody to a safe
    connection.
    """
    said: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
        said.append((status, headers))

    nameless = environ | {"HTTP_AUTHORIZATION": "Token", "HTTP_COOKIE": "", "wsgi.input": BytesIO()}
    answer: Any = application(nameless, start_response)
    answer.close()
    status, headers = said[0]
    if not status.startswith("401"):
        return None
    return [(name, value) for name, value in headers if name not in OF_ONE_ANSWER]
