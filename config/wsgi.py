"""The entry point of a WSGI server. In development it finds the embedded servers running."""

import os

from django.core.wsgi import get_wsgi_application

from config import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
embedded.prepare_environment()

application = get_wsgi_application()
