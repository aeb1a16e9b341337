"""The WSGI function in front of Django's."""

import logging
import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from flashsale import shedding
from flashsale.express.callers import Call, Headers, Place
from flashsale.express.routes import ROUTES
from flashsale.shedding import Level

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

ADDRESS = re.compile(rf"/api/v1/sales/([-a-zA-Z0-9_]+)/({'|'.join(ROUTES)})/")
#: Bytes. A signed value has about 110.
LONGEST_BODY = 1024

#: What Django's headers, and its look at the origin, depend on besides the settings.
PLACE = (
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "wsgi.url_scheme",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
)
#: Headers that belong to one answer and not to all of them.
OF_ONE_ANSWER = {
    "Content-Type", "Content-Length", "WWW-Authenticate", "ETag", "Cache-Control", "Set-Cookie",
}  # fmt: skip
#: Places that are kept; the oldest makes room for a new one.
MOST_PLACES = 200


def in_front_of(application: "WSGIApplication") -> "WSGIApplication":
    """`application`, Django's own, behind the express way."""
    places: dict[tuple[Any, ...], Place] = {}

    def express(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = ADDRESS.fullmatch(environ["PATH_INFO"])
        if found is None or not _is_usual(environ, ROUTES[found[2]].method):
            return application(environ, start_response)
        body = b""
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            environ["wsgi.input"] = BytesIO(body)
        reply = None
        try:
            name = (found[2], *map(environ.get, PLACE))
            place = places.get(name)
            if place is None:
                place = _learn_place(application, environ)
                if len(places) >= MOST_PLACES:
                    places.pop(list(places)[0], None)  # noqa: RUF015 -- at once: threads
                if place is not None:
                    places[name] = place
            if place is not None and place.headers:
                reply = ROUTES[found[2]].answer(Call(environ), place, found[1], body)
        except Exception:
            log.exception("The express way failed; Django is asked")
        if reply is None or place is None or place.headers is None:
            return application(environ, start_response)
        headers = [*reply.headers.items(), *place.headers]
        if reply.status != HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Type", reply.content_type))
            headers.append(("Content-Length", str(len(reply.content))))
        start_response(_status_line(reply.status), headers)
        return [reply.content]

    return express


@cache
def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _is_usual(environ: "WSGIEnvironment", method: str) -> bool:
    """Whether this is a call as our own pages and API clients send it."""
    if (
        environ["REQUEST_METHOD"] != method
        or environ.get("HTTP_ACCEPT", "*/*") not in ("*/*", "application/json")
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
        or shedding.current().level != Level.NORMAL
    ):
        return False
    if method == "GET":
        return True
    length = environ.get("CONTENT_LENGTH", "")
    return (
        length.isdecimal()
        and int(length) <= LONGEST_BODY
        and (length == "0" or environ.get("CONTENT_TYPE") == "application/json")
    )


def _learn_place(application: "WSGIApplication", environ: "WSGIEnvironment") -> Place | None:
    """What Django sends with every answer of this route, from its answer to a call that names no token.

    Its headers are None when it does not come as far as the route: it does not serve the host, or sends everybody to
    a safe connection. None instead of a place: it failed this time.
    """
    said: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
        said.append((status, headers))

    nameless = environ | {"HTTP_COOKIE": "", "wsgi.input": BytesIO(), "HTTP_IF_NONE_MATCH": ""}
    if environ["REQUEST_METHOD"] == "POST":
        nameless["HTTP_AUTHORIZATION"] = "Token"
    answer: Any = application(nameless, start_response)
    answer.close()
    status, headers = said[0]
    is_secure = Call(environ).is_secure()
    if status[:3] not in ("200", "401", "404"):
        return Place(None, is_secure) if status[0] in "34" else None
    kept = [(name, value) for name, value in headers if name not in OF_ONE_ANSWER]
    return Place(kept, is_secure)
