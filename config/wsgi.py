"""The entry point of a WSGI server. In development it finds the embedded servers running."""

import os
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db.backends.signals import connection_created

from config import embedded, threads
from config.production import refuse_evicting_redis

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.prepare_environment()

application: "WSGIApplication" = get_wsgi_application()
connection_created.connect(threads.guard)

from flashsale import express  # noqa: E402 -- needs Django set up

if settings.EXPRESS_ROUTE:
    application = express.in_front_of(application)

if settings.PRODUCTION:
    refuse_evicting_redis(settings.REDIS_URL)
