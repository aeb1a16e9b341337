"""Around every request: who may pass while the load is high, and the shopper's signed cookie."""

from collections.abc import Callable
from functools import cache, lru_cache

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string

from flashsale import shedding, shoppers
from flashsale.shedding import Level, Priority
from shop import problems
from shop.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]

#: Seconds after which somebody who met a part that is off may look again.
RETRY_SECONDS = 30


class LoadSheddingMiddleware:
    """Answer 503 for routes that the level in force does not serve; stand first, before sessions.

    At the normal level this costs a look at the clock.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        level = shedding.current().level
        if level != Level.NORMAL and shedding.is_shed(
            level=level, priority=_priority(request.path_info)
        ):
            return _shed(request)
        return self.get_response(request)


@lru_cache(maxsize=4096)
def _priority(path: str) -> Priority:
    """The declared priority of a path's route. Paths without a route (static files) are not shed."""
    try:
        name = resolve(path).view_name
    except Resolver404:
        return Priority.ALWAYS
    priority: Priority = import_string(settings.ROUTE_PRIORITIES)(name)
    return priority


def _shed(request: HttpRequest) -> HttpResponse:
    """A whole page for people who navigate, a problem document for the API, nothing for a fragment."""
    response: HttpResponse
    if request.path_info.startswith(problems.API_PREFIX):
        detail = "This part is off while many people are here. Please try again later."
        response = JsonResponse(
            problems.document(status=503, code="shed", detail=detail),
            status=503,
            content_type=problems.CONTENT_TYPE,
        )
    elif request.headers.get("Sec-Fetch-Dest") == "empty":
        response = HttpResponse(status=503)
    else:
        language = translation.get_language_from_request(request)
        response = HttpResponse(_page(language), status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response


@cache
def _page(language: str) -> str:
    with translation.override(language, deactivate=True):
        return render_to_string("503.html")


class ShopperCookieMiddleware:
    """Keep the cookie that names the shopper in step with the session, when the session was read anyway."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith(problems.API_PREFIX):
            # Its answers may be kept by a cache, and REST framework's nobody is no sign-out.
            return response
        nobody_looked = isinstance(request.user, SimpleLazyObject) and not hasattr(
            request, "_cached_user"
        )
        if not nobody_looked and isinstance(request.user, User | AnonymousUser):
            shoppers.keep_cookie(request, response)
        return response
