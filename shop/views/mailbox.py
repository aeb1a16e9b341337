"""The mailbox of `make demo`: what the shop wrote, kept as files, read in the browser. Never in production."""

import email
import email.policy
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import wraps
from pathlib import Path

from csp.decorators import csp_update
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop.views.mail_frames import AROUND_A_FRAME, mail_frame

#: The line that Django's file backend writes after each mail.
_END = b"\n" + b"-" * 79 + b"\n"
_FILE = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]+\.log")
#: Files that are looked through, the newest ones; each holds the mails of one connection.
MOST_FILES = 500
PER_PAGE = 25


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was written; its file and its number in it name it."""

    file: str
    number: int
    to: str
    subject: str
    sent_at: datetime
    text: str
    html: str


def only_here(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """404 in production, and wherever mails really go out."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        is_kept = settings.EMAIL_BACKEND == "django.core.mail.backends.filebased.EmailBackend"
        if settings.PRODUCTION or not is_kept:
            raise Http404
        return view(request, *args, **kwargs)

    return wrapped


@never_cache
@require_safe
@only_here
def mailbox(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    mails = [mail for mail in _newest() if query.lower() in mail.to.lower()]
    page = Paginator(mails, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "shop/mailbox.html", {"page": page, "query": query})


@never_cache
@require_safe
@only_here
def mail(request: HttpRequest, file: str, number: int) -> HttpResponse:
    return render(request, "shop/mailbox_mail.html", {"mail": _find(file, number)})


@never_cache
@require_safe
@only_here
def mail_html(request: HttpRequest, file: str, number: int) -> HttpResponse:
    """The HTML part alone, for the frame."""
    return mail_frame(_find(file, number).html)


def _newest() -> list[Mail]:
    """What is kept, the newest first."""
    names = (path.name for path in Path(settings.EMAIL_FILE_PATH).glob("*.log"))
    files = sorted(filter(_FILE.fullmatch, names), reverse=True)[:MOST_FILES]
    mails = [mail for file in files for mail in _read(file)]
    return sorted(mails, key=lambda mail: (mail.sent_at, mail.number), reverse=True)


def _find(file: str, number: int) -> Mail:
    if _FILE.fullmatch(file) and (Path(settings.EMAIL_FILE_PATH) / file).is_file():
        for found in _read(file):
            if found.number == number:
                return found
    raise Http404("There is no such mail.")


def _read(file: str) -> list[Mail]:
    parts = (Path(settings.EMAIL_FILE_PATH) / file).read_bytes().split(_END)
    return [_parse(file, number, part) for number, part in enumerate(parts) if part.strip()]


def _parse(file: str, number: int, raw: bytes) -> Mail:
    message = email.message_from_bytes(raw.lstrip(), policy=email.policy.default)
    return Mail(
        file=file,
        number=number,
        to=str(message["to"] or ""),
        subject=str(message["subject"] or ""),
        sent_at=_moment(str(message["date"])),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _moment(written: str) -> datetime:
    """Django writes `-0000`: UTC, by somebody who does not say where they are."""
    moment = parsedate_to_datetime(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return "" if part is None else str(part.get_content())


def _with_frame(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    return csp_update(AROUND_A_FRAME)(view)


urlpatterns = [
    path("mailbox/", mailbox, name="mailbox"),
    path("mailbox/<str:file>/<int:number>/", _with_frame(mail), name="mailbox-mail"),
    path("mailbox/<str:file>/<int:number>/html/", mail_html, name="mailbox-html"),
]
