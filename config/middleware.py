"""What every request has to be before anybody looks at it."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from shop import problems


class RefuseNulMiddleware:
    """Answer 400 to a NUL in the address: PostgreSQL has no text with one, and nobody types it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return problems.bad_request(request, BadRequest())
        return self.get_response(request)
