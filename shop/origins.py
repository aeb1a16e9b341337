"""Forms on pages that are the same for everybody, and so have no token in them.

Such a form is taken from a browser that says, in `Origin`, that one of our own pages sent it: scripts cannot write that
header, and browsers send it with every POST. Whoever says nothing there needs Django's token as ever.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def from_our_pages(view: View[P]) -> View[P]:
    """Take a form without a token from our own pages; anything else is judged by Django's own rule."""
    by_token = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def judged(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return (view if is_ours(request) else by_token)(request, *args, **kwargs)

    return judged


def is_ours(request: HttpRequest) -> bool:
    """Whether the browser says that a page of this very site sent this."""
    origin = request.headers.get("Origin", "")
    ours = f"{request.scheme}://{request.get_host()}"
    return origin == ours or origin in settings.CSRF_TRUSTED_ORIGINS
