"""`SITE_URL`, where shoppers reach the shop: mails are written without a request, and know its address from there."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.http.request import validate_host


def check_setting(**more: Any) -> Sequence[CheckMessage]:
    """A system check of `check --deploy`: a wrong one leads every shopper elsewhere, and nothing else notices."""
    problem = _problem(settings.SITE_URL)
    return [Error(f"SITE_URL is {settings.SITE_URL!r}: {problem}.", id="shop.E001")] * bool(problem)


def _problem(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it does not begin with https:// and the name of a host"
    if url != f"{parts.scheme}://{parts.netloc}":
        return "it ends with the host, without a slash or anything else after it"
    if settings.SECURE_SSL_REDIRECT and parts.scheme != "https":
        return "pages are on https here (SECURE_SSL_REDIRECT)"
    if not validate_host(parts.hostname, settings.ALLOWED_HOSTS):
        return "its host is not one of ALLOWED_HOSTS"
    return ""
