"""The shop's addresses and an empty view, which only the benchmark's settings serve."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config import urls
from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


#: bench.wsgi serves the second without any middleware.
urlpatterns = [path("bench/empty/", empty), path("bench/bare/", empty), *urls.urlpatterns]
