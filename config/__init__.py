"""Wiring: settings, URLs, Celery, server entry points, the embedded servers. No business rule."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
