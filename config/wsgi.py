"""The entry point of a WSGI server. In development it finds the embedded servers running."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import embedded
from config.production import refuse_evicting_redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.prepare_environment()

application = get_wsgi_application()

if settings.PRODUCTION:
    refuse_evicting_redis(settings.REDIS_URL)
