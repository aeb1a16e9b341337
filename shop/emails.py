"""Mails about orders: each follows from a line of the order's timeline, and goes out once for it.

`orders.record` asks for the mail when its transaction has committed. Before sending, the mail is claimed on
the timeline, so two workers do not both send; after sending, the claim becomes the record. A mail that was
not asked for (the broker was away, the process died), or that the mail server did not take, is sent by
`send_missing`; until then the timeline in the admin says so. One window is left: a process that dies after
the mail server took the mail and before the record sends it again. Losing a receipt would be worse.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from shop.models import Order, OrderEvent

log = logging.getLogger(__name__)

#: The mail that follows from a kind of timeline event.
MAILS = {
    "placed": "order_received",
    "paid": "order_paid",
    "fulfilled": "order_shipped",
    "expired": "order_expired",
    "cancelled": "order_cancelled",
    "refunded": "order_refunded",
    "payment_returned": "late_payment_returned",
}
SENT, CLAIMED = "email:", "email-claim:"
#: Seconds after which a claim counts for nothing, and the mail is tried again: CELERY_TASK_TIME_LIMIT, when
#: a sender that was not heard of is dead.
CLAIM_SECONDS = 120
#: Seconds that the ordinary way is given before `send_missing` steps in; and how far back it looks.
MISSING_AFTER_SECONDS = 60
MISSING_DAYS = 3
#: Mails that one run sends: some seconds' work for a usual mail server.
MISSING_BATCH = 25
_SALT = "holdfast.order-link"


@shared_task
def send_mail(order_id: str, name: str) -> None:
    """Send one mail about an order. Run twice, it goes out once: see the module."""
    send(order_id=UUID(order_id), name=name)


def send(*, order_id: UUID, name: str) -> bool:
    """Send the mail `name` unless it was sent, or somebody is at it; whether it was sent now.

    Raises:
        OSError, SMTPException: the mail server did not take it; `send_missing` tries again.
    """
    claim = _claim(order_id=order_id, name=name)
    if claim is None:
        return False
    row = OrderEvent.objects.filter(pk=claim.pk)
    words = name.replace("_", " ")
    try:
        _message(order_id=order_id, name=name).send()
    except (OSError, SMTPException) as error:
        row.update(message=f"Mail not sent yet: {words}: {error}"[:300])
        raise
    row.update(kind=SENT + name, message=f"Mail sent: {words}.")
    return True


def send_missing() -> int:
    """Send mails that should have gone out a while ago and did not; return how many were sent.

    Stops at the first that the mail server does not take: the others would wait for the same answer.
    """
    sent = 0
    for order_id, name in _missing()[:MISSING_BATCH]:
        try:
            sent += send(order_id=order_id, name=name)
        except (OSError, SMTPException) as error:
            log.warning("The mail server does not take mails: %s", error)
            break
    return sent


def _missing() -> list[tuple[UUID, str]]:
    now = timezone.now()
    mails = OrderEvent.objects.filter(order=OuterRef("order"))
    found: list[tuple[UUID, str]] = []
    for kind, name in MAILS.items():
        events = OrderEvent.objects.filter(
            ~Exists(mails.filter(kind=SENT + name)),
            ~Exists(_live_claims(mails, name)),
            kind=kind,
            created_at__gt=now - timedelta(days=MISSING_DAYS),
            created_at__lt=now - timedelta(seconds=MISSING_AFTER_SECONDS),
        )
        orders = events.order_by("id").values_list("order_id", flat=True)[:MISSING_BATCH]
        found += [(order_id, name) for order_id in orders]
    return found


def order_url(order: Order) -> str:
    """The order's address for a mail; a guest's carries a signature that opens it in any browser."""
    url = f"{settings.SITE_URL}{order.get_absolute_url()}"
    return url if order.user_id else f"{url}?access={signing.dumps(order.reference, salt=_SALT)}"


def opens(*, order: Order, access: str) -> bool:
    """Whether `access` is the signature out of a mail about this order."""
    try:
        return bool(signing.loads(access, salt=_SALT) == order.reference)
    except signing.BadSignature:
        return False


def _claim(*, order_id: UUID, name: str) -> OrderEvent | None:
    with transaction.atomic():
        # Two workers with the same mail: the second waits here, and then finds the first one's claim.
        order = Order.objects.select_for_update(no_key=True).get(pk=order_id)
        # One query: between two of them a claim that turns into the record would be in neither.
        if (
            order.events.filter(kind=SENT + name) | _live_claims(order.events.all(), name)
        ).exists():
            return None
        order.events.filter(kind=CLAIMED + name).delete()
        return OrderEvent.objects.create(
            order=order, kind=CLAIMED + name, message=f"Sending a mail: {name.replace('_', ' ')}."
        )


def _live_claims(events: QuerySet[OrderEvent], name: str) -> QuerySet[OrderEvent]:
    since = timezone.now() - timedelta(seconds=CLAIM_SECONDS)
    return events.filter(kind=CLAIMED + name, created_at__gt=since)


def _message(*, order_id: UUID, name: str) -> EmailMultiAlternatives:
    order = Order.objects.get(pk=order_id)
    context = {
        "order": order,
        "line_items": list(order.line_items.all()),
        "order_url": order_url(order),
        "shop_name": settings.SHOP_NAME,
    }
    message = EmailMultiAlternatives(
        subject=" ".join(render_to_string(f"emails/{name}_subject.txt", context).split()),
        body=render_to_string(f"emails/{name}.txt", context).strip() + "\n",
        to=[order.email],
    )
    message.attach_alternative(render_to_string(f"emails/{name}.html", context), "text/html")
    return message
