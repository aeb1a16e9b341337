"""The shop's addresses and an empty view, which only the benchmark's settings serve."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config import urls
from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


#: With all middleware; without any, and with the load shedding alone, as bench.wsgi serves them.
EMPTY = ("bench/empty/", "bench/bare/", "bench/shed/")
urlpatterns = [*(path(address, empty) for address in EMPTY), *urls.urlpatterns]
