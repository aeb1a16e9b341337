"""HTTP to the shop's WSGI application in the test's own process and transaction."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from django.core import signals
from django.db import close_old_connections
from django.test import override_settings

from config import wsgi

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def serve(*, express: bool) -> "WSGIApplication":
    """The shop's own entry point, as a process makes it that starts with EXPRESS_ROUTE on or off."""
    with override_settings(EXPRESS_ROUTE=express):
        importlib.reload(wsgi)
    return wsgi.application


@contextmanager
def client_of(application: "WSGIApplication", **headers: str) -> Iterator[httpx.Client]:
    """A client that sends `headers` to `application`; database connections stay, as with Django's own client."""
    both = (signals.request_started, signals.request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    transport = httpx.WSGITransport(app=application)
    try:
        with httpx.Client(
            transport=transport, base_url="http://testserver", headers=headers
        ) as client:
            yield client
    finally:
        for signal in both:
            signal.connect(close_old_connections)
