"""Mail to those in line who asked to be told when it is their turn.

A row says that somebody asked; nobody else costs anything. `send_due` runs by itself every few seconds: it works out
the places that are new (a draw has none before the opening), and writes to those whose place is served or will be
within about a minute. A mail is claimed by a conditional UPDATE before it is sent, so two runs at once send one; a
mail that the server did not take is given back and tried again. A process that dies between the claim and the sending
loses that one mail: to tell somebody twice that it is their turn would be worse, as they would come back for nothing.

When Redis is away: nothing is sent, because the line stands still and nobody could get in. A place that a ticket
proves is kept in the row, so what Redis loses does not matter here.
"""

import json
import logging
from datetime import datetime
from smtplib import SMTPException, SMTPNotSupportedError, SMTPRecipientsRefused
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from flashsale import line, store
from flashsale.keys import key
from flashsale.line_document import read_serving
from flashsale.models import LineAlert, Sale
from flashsale.sales import Phase, SaleInfo, describe
from flashsale.showing import time_in_words
from flashsale.tickets import Ticket

log = logging.getLogger(__name__)

#: Seconds before the turn at which the mail goes out: what a mail takes, and somebody to sit down.
AHEAD_SECONDS = 60
#: Mails that one run sends for a sale: some seconds' work for a usual mail server.
BATCH = 50
#: Places that one run works out for a sale: some tens of milliseconds of hashing, and one UPDATE.
PLACES = 2000


def ask(sale: SaleInfo, *, shopper: UUID, ticket: Ticket, now: datetime) -> None:
    """Remember that a shopper in line wants the mail. Asking again changes nothing, before the mail and after it."""
    LineAlert.objects.bulk_create(
        [LineAlert(sale_id=sale.id, shopper_id=shopper, number=ticket.number, asked_at=now)],
        ignore_conflicts=True,
    )


def withdraw(sale: SaleInfo, *, shopper: UUID) -> bool:
    """Forget that they asked; whether there was something to forget. A mail that was sent stays on record."""
    deleted, _ = LineAlert.objects.filter(
        sale_id=sale.id, shopper__shopper_id=shopper, sent_at=None
    ).delete()
    return bool(deleted)


def of_shopper(sale: SaleInfo, *, shopper: UUID) -> LineAlert | None:
    return LineAlert.objects.filter(sale_id=sale.id, shopper__shopper_id=shopper).first()


def send_due(*, now: datetime) -> int:
    """Write to everybody whose turn has come or comes within a minute; return how many mails went out.

    Bounded: for each open sale `PLACES` places and `BATCH` mails. It stops at the first mail that the server does not
    take, because the others would wait for the same answer.
    """
    sent = 0
    asked_for = LineAlert.objects.filter(sale=OuterRef("pk"), sent_at=None)
    current = Sale.objects.filter(
        Exists(asked_for), status=Sale.Status.SCHEDULED, opens_at__lte=now, closes_at__gt=now
    )
    for sale in map(describe, current):
        try:
            sent += _send_for(sale, now=now)
        except redis.RedisError:
            log.warning("Redis is away: the line of %s stands still, nobody is called", sale.slug)
        except (OSError, SMTPException) as error:
            log.warning("The mail server does not take mails: %s", error)
            break
    return sent


def _send_for(sale: SaleInfo, *, now: datetime) -> int:
    text = store.client().get(key(sale.id, "line"))
    document = json.loads(str(text)) if text else None
    if document is None or document["phase"] != Phase.OPEN or document["draw_size"] is None:
        return 0
    _find_places(sale, draw_size=document["draw_size"])
    due = _waiting(sale).filter(place__lte=_served_soon(document["serving"], now=now))
    ready = due.filter(shopper__is_active=True).select_related("shopper").order_by("place", "pk")
    return sum(_send(alert, sale, now=now) for alert in ready[:BATCH])


def _served_soon(value: dict[str, Any], *, now: datetime) -> int:
    """The last place that is served within `AHEAD_SECONDS`, at the pace of the longer run."""
    serving = read_serving(value)
    return int(serving.number_at(now.timestamp()) + (serving.pace or 0.0) * AHEAD_SECONDS)


def _waiting(sale: SaleInfo) -> QuerySet[LineAlert]:
    return LineAlert.objects.filter(sale_id=sale.id, sent_at=None)


def _find_places(sale: SaleInfo, *, draw_size: int) -> None:
    """Write the places down, once the draw is made: they never change after it."""
    _waiting(sale).filter(place=None, number__isnull=False).update(place=F("number") + draw_size)
    drawn = list(_waiting(sale).filter(place=None)[:PLACES])
    for alert in drawn:
        alert.place = line.drawn_place(
            seed=sale.seed, shopper=alert.shopper_id, draw_size=max(1, draw_size)
        )
    LineAlert.objects.bulk_update(drawn, ["place"])


def _send(alert: LineAlert, sale: SaleInfo, *, now: datetime) -> bool:
    """Claim one mail and send it; False when somebody else has it, it was withdrawn, or the sale is over, or when the
    address is none that the mail server delivers to.

    Raises:
        OSError, SMTPException: the mail server did not take it; it waits for the next run.
    """
    running = Sale.objects.filter(pk=sale.id, status=Sale.Status.SCHEDULED, closes_at__gt=Now())
    # Without a join: PostgreSQL would ask the old row again when it had to wait for another run.
    if not LineAlert.objects.filter(Exists(running), pk=alert.pk, sent_at=None).update(sent_at=now):
        return False
    try:
        _message(alert, sale).send()
    except (SMTPRecipientsRefused, SMTPNotSupportedError) as error:
        # This address will not do the next time either, and others wait behind it.
        log.warning("The mail of line alert %s cannot be delivered: %s", alert.pk, error)
        return False
    except (OSError, SMTPException):
        LineAlert.objects.filter(pk=alert.pk, sent_at=now).update(sent_at=None)
        raise
    return True


def _message(alert: LineAlert, sale: SaleInfo) -> EmailMultiAlternatives:
    """In the language in which the shopper reads the shop."""
    with translation.override(alert.shopper.language or settings.LANGUAGE_CODE):
        return _written(alert, sale)


def _written(alert: LineAlert, sale: SaleInfo) -> EmailMultiAlternatives:
    context = {
        "sale_name": sale.name,
        "line_url": settings.SITE_URL + reverse("flashsale:line", args=[sale.slug]),
        "admission_time": time_in_words(sale.admission_seconds),
        "shop_name": settings.SHOP_NAME,
    }
    message = EmailMultiAlternatives(
        subject=" ".join(render_to_string("emails/line_turn_subject.txt", context).split()),
        body=render_to_string("emails/line_turn.txt", context).strip() + "\n",
        to=[alert.shopper.email],
    )
    message.attach_alternative(render_to_string("emails/line_turn.html", context), "text/html")
    return message
