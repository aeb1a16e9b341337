"""The outbox: a mail is written down with the event that it follows from, and sent after the commit.

Its key names that event, so one event has one mail, whoever writes it down again. Whoever sends a mail claims
it first, by moving on the time at which it is due: one conditional UPDATE, so two workers do not both send,
and no row is locked while the mail server is spoken to. What the server did not take is tried again after
pauses that grow; so is a mail that nobody was asked to send (the broker was away, the process died). The
admin shows what waits, and why. One window is left: a process that dies after the mail server took a mail,
and before that is recorded, sends it again. Losing a receipt would be worse.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPSenderRefused
from time import monotonic
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import translation

from shop import emails
from shop.models import Order, OutgoingMail

log = logging.getLogger(__name__)

#: Seconds after which a claim counts for nothing, and the mail is tried again: CELERY_TASK_TIME_LIMIT, when
#: a sender that was not heard of is dead.
CLAIM_SECONDS = 120
#: Seconds between the first try and the second; each pause is twice the one before, up to the longest.
FIRST_PAUSE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 6 * 3600
#: How long a mail is tried by itself. Afterwards its news is old, and a person decides.
TRY_DAYS = 3
#: Mails that one run sends: some seconds' work for a usual mail server; and for how long, when it is slow.
SEND_BATCH = 25
SEND_SECONDS = 60
#: What a mail server says of one mail, and not of all.
REFUSALS = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError)


def write(
    *,
    key: str,
    template: str,
    to: str,
    order: Order | None = None,
    language: str = "",
    context: Mapping[str, Any] | None = None,
) -> OutgoingMail:
    """Write a mail down in the caller's transaction; it is sent when that has committed.

    Args:
        key: names the event, e.g. `order-event:7`. The same key again changes and sends nothing.
        template: the name of its files in `templates/emails/`: `NAME.html`, `.txt`, `_subject.txt`.
        language: of whoever gets it; that of the order when empty.
        context: what the templates need besides the order; JSON, so amounts are texts.
    """
    mail, is_new = OutgoingMail.objects.get_or_create(
        key=key,
        defaults={
            "template": template,
            "to": to,
            "order": order,
            "language": language,
            "context": dict(context or {}),
            "due_at": Now(),
        },
    )
    if is_new:
        # Robust: with the broker away the mail is written down, and `send_due` sends it.
        transaction.on_commit(lambda: send_mail.delay(mail.pk), robust=True)
    return mail


@shared_task
def send_mail(pk: int) -> None:
    """Send one mail. Run twice, it goes out once: see the module."""
    try:
        send(pk)
    except (OSError, SMTPException) as error:
        log.warning("The mail server did not take mail %s: %s", pk, error)


def send(pk: int) -> bool:
    """Send a mail that is due, unless it was sent, or somebody is at it; whether it was sent now.

    What goes wrong is noted with the mail and raised.
    """
    mail = _claim(pk)
    if mail is None:
        return False
    try:
        render(mail).send()
    except Exception as error:
        _note_failure(mail, error)
        raise
    # Whoever else may have claimed it meanwhile: it is sent.
    OutgoingMail.objects.filter(pk=pk).update(sent_at=Now(), error="")
    return True


def send_due(*, limit: int = SEND_BATCH) -> int:
    """Send what is due, the oldest first; return how many mails that was.

    Stops when the mail server is away: the others would wait for the same answer. A mail that it refuses, or
    that cannot be written, stops nobody.
    """
    since = Now() - timedelta(days=TRY_DAYS)
    due = OutgoingMail.objects.filter(sent_at=None, due_at__lte=Now(), created_at__gt=since)
    sent, until = 0, monotonic() + SEND_SECONDS
    for pk in list(due.order_by("due_at").values_list("pk", flat=True)[:limit]):
        if monotonic() > until:
            break
        try:
            sent += send(pk)
        except REFUSALS as error:
            log.warning("Mail %s is refused: %s", pk, error)
        except (OSError, SMTPException) as error:
            log.warning("The mail server does not take mails: %s", error)
            break
        except Exception:
            log.exception("Mail %s cannot be written", pk)
    return sent


def retry(mail: OutgoingMail) -> bool:
    """Send a mail that was not sent now, on a person's wish; False when it was sent meanwhile.

    Raises:
        OSError, SMTPException: the mail server does not take it now either.
    """
    # Without an error it is due, or somebody is just sending it.
    OutgoingMail.objects.filter(pk=mail.pk, sent_at=None).exclude(error="").update(due_at=Now())
    return send(mail.pk)


def render(mail: OutgoingMail, *, is_preview: bool = False) -> EmailMultiAlternatives:
    """The mail as it goes out now, in text and HTML, and in the language of whoever gets it.

    A preview opens nothing that is the shopper's alone.
    """
    language = mail.language or (mail.order.language if mail.order else "")
    with translation.override(language or settings.LANGUAGE_CODE):
        return _render(mail, is_preview=is_preview)


def _render(mail: OutgoingMail, *, is_preview: bool) -> EmailMultiAlternatives:
    context = {"shop_name": settings.SHOP_NAME, **mail.context}
    if is_preview:
        context |= dict.fromkeys(emails.SIGNED & context.keys(), settings.SITE_URL)
    if mail.order is not None:
        context |= emails.context_of(mail.order, is_signed=not is_preview)
    name = f"emails/{mail.template}"
    message = EmailMultiAlternatives(
        subject=" ".join(render_to_string(f"{name}_subject.txt", context).split()),
        body=render_to_string(f"{name}.txt", context).strip() + "\n",
        to=[mail.to],
    )
    message.attach_alternative(render_to_string(f"{name}.html", context), "text/html")
    return message


def _claim(pk: int) -> OutgoingMail | None:
    claimed = OutgoingMail.objects.filter(pk=pk, sent_at=None, due_at__lte=Now()).update(
        due_at=Now() + timedelta(seconds=CLAIM_SECONDS), tries=F("tries") + 1, error=""
    )
    if not claimed:
        return None
    return OutgoingMail.objects.select_related("order").get(pk=pk)


def _note_failure(mail: OutgoingMail, error: Exception) -> None:
    pause = min(FIRST_PAUSE_SECONDS * 2 ** (mail.tries - 1), LONGEST_PAUSE_SECONDS)
    # Only as long as the claim is ours: another sender may have followed, and sent it.
    OutgoingMail.objects.filter(pk=mail.pk, sent_at=None, tries=mail.tries).update(
        due_at=Now() + timedelta(seconds=pause),
        error=(str(error) or type(error).__name__)[:300],
    )
