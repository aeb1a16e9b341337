"""Pages that are the same bytes for everybody, so that caches may keep them.

A view that is `shared` must not ask who is looking: neither the session nor the user is read, no cookie is set, and
templates see `shared_page`. What is a shopper's own (account, cart, messages) is fetched by a script of its own
(`static/js/personal.js`), or shown on the next page that is theirs alone. Forms on such pages have no token; views that
take them say so (`shop.origins`).

A view may let its page be kept here, in Redis: then a look at it takes no query. It is kept under its path, its
address as the view itself would write it (nobody fills the cache with addresses of their own making), and the
language; for `PAGE_CACHE_SECONDS`, or until the catalogue changes (`forget_all`). Without Redis nothing is kept. The
banner is not kept with it, but put in at every look: it says what may change within the second.
"""

import hashlib
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

#: Where a page's banner belongs. What people write is escaped, so no text of theirs can say this.
BANNER = b"<!-- the banner -->"
#: The generation of all kept pages; whoever changes it forgets them.
GENERATION = "pages:generation"
#: Messages wait in this cookie; then the page that shows them is for one pair of eyes.
MESSAGES_COOKIE = "messages"
#: Fast, and a page becomes a fifth.
COMPRESSION = 1


def shared(view: View[P]) -> View[P]:
    """Answer with the same bytes for everybody: from what is kept, or by the view."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        request.is_shared_page = True  # type: ignore[attr-defined]  # ours, as the two below
        has_messages = bool(request.COOKIES.get(MESSAGES_COOKIE))
        request.has_messages = has_messages  # type: ignore[attr-defined]
        body = None if has_messages else _find(request)
        if body is None:
            try:
                response = view(request, *args, **kwargs)
            except Exception:
                # The page of an error is made for who asked, as everywhere.
                request.is_shared_page = False  # type: ignore[attr-defined]
                raise
            if has_messages or response.status_code != 200:
                response["Cache-Control"] = "private, no-store"
                response.content = _with_banner(request, response.content)
                return response
            body = response.content
            _store(request, body)
        return _finished(request, HttpResponse(_with_banner(request, body)))

    return answer


def keep(request: HttpRequest, *, address: str) -> None:
    """Let this page be kept, if it was asked for by `address`: the query string that the view itself would write."""
    if request.META.get("QUERY_STRING", "") == address:
        request.is_kept_page = True  # type: ignore[attr-defined]


def keep_no_longer(request: HttpRequest, *, seconds: int) -> None:
    """Something on this page is true for so long only."""
    known = getattr(request, "kept_seconds", settings.PAGE_CACHE_SECONDS)
    request.kept_seconds = min(known, seconds)  # type: ignore[attr-defined]


def forget_all(**kwargs: Any) -> None:
    """Keep none of the pages that are kept now, once the change that is being made is there for all to see."""
    transaction.on_commit(_next_generation, robust=True)


def _next_generation() -> None:
    cache.set(GENERATION, uuid4().hex, timeout=None)


def _find(request: HttpRequest) -> bytes | None:
    if not settings.PAGE_CACHE_SECONDS:
        return None
    key = _key(request)
    known = cache.get_many([GENERATION, key])
    generation = known.get(GENERATION, "")
    # Of the time before the page is made: what is made of old rows is not found after the change.
    request.page_place = (key, generation)  # type: ignore[attr-defined]
    made_in, packed = known.get(key, (None, b""))
    return zlib.decompress(packed) if made_in == generation else None


def _store(request: HttpRequest, body: bytes) -> None:
    if settings.PAGE_CACHE_SECONDS and getattr(request, "is_kept_page", False):
        key, generation = request.page_place  # type: ignore[attr-defined]
        packed = zlib.compress(body, COMPRESSION)
        cache.set(key, (generation, packed), settings.PAGE_CACHE_SECONDS)


def _key(request: HttpRequest) -> str:
    address = f"{request.path}?{request.META.get('QUERY_STRING', '')}"
    named = hashlib.sha256(f"{request.get_host()} {address}".encode()).hexdigest()
    return f"page:{get_language()}:{named}"


def _with_banner(request: HttpRequest, body: bytes) -> bytes:
    if BANNER not in body:
        return body
    banner = render_to_string("site_banner.html", {"request": request})
    return body.replace(BANNER, banner.encode(), 1)


def _finished(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    seconds = getattr(request, "kept_seconds", settings.PAGE_CACHE_SECONDS)
    life = f"public, max-age={seconds}"
    response["Cache-Control"] = f"{life}, stale-while-revalidate={seconds}" if seconds else life
    response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if len(settings.LANGUAGES) > 1:
        # The language may be chosen by a cookie.
        patch_vary_headers(response, ["Accept-Language", "Cookie"])
    get_answer = cast("Callable[..., HttpResponse]", get_conditional_response)
    return get_answer(request, etag=response["ETag"], response=response)
