"""The Celery application. Tasks live in the rooms; what runs when is `CELERY_BEAT_SCHEDULE`."""

import os

from celery import Celery
from celery.signals import worker_init
from django.conf import settings

from config.production import refuse_evicting_redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def look_at_redis(**_: object) -> None:
    if settings.PRODUCTION:
        refuse_evicting_redis(settings.REDIS_URL)
