"""The shop as its own entry point serves it, and beside it, in the same process, Django without middleware, Django with
the load shedding alone, and calls without Django (`bench.least`).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from config.wsgi import application as shop

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

with override_settings(MIDDLEWARE=[]):
    bare = WSGIHandler()
with override_settings(MIDDLEWARE=["flashsale.middleware.LoadSheddingMiddleware"]):
    shedding = WSGIHandler()

from bench import least


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if environ["PATH_INFO"].startswith(least.PREFIX):
        return least.application(environ, start_response)
    serve = {"/bench/bare/": bare, "/bench/shed/": shedding}.get(environ["PATH_INFO"], shop)
    return serve(environ, start_response)
