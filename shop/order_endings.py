"""Reminding shoppers of an order whose time to pay is nearly over: once, and not while their bank decides."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Value
from django.db.models.functions import Least, Now

from shop import mails, orders
from shop.models import Order, OutgoingMail, PaymentIntent

TEMPLATE = "order_ending"
#: The last quarter of the time, and these seconds at the most.
MOST_SECONDS_BEFORE = 600
#: Orders that one run looks at.
BATCH = 200


def remind(*, limit: int = BATCH) -> int:
    """Write to whoever has an unpaid order in the last part of its time; return how many that was.

    The mail is written down under a key of its order, so running this twice at once writes it once.
    """
    quarter = ExpressionWrapper(
        (F("expires_at") - F("placed_at")) / Value(4), output_field=DurationField()
    )
    due = Order.objects.filter(
        ~Exists(OutgoingMail.objects.filter(order=OuterRef("pk"), template=TEMPLATE)),
        ~Exists(PaymentIntent.objects.filter(order=OuterRef("pk"), state__in=PaymentIntent.LIVE)),
        state=Order.State.PENDING,
        expires_at__gt=Now(),
        expires_at__lte=Now() + Least(quarter, Value(timedelta(seconds=MOST_SECONDS_BEFORE))),
    )
    ids = due.order_by("expires_at").values_list("pk", flat=True)[:limit]
    return sum(_remind(pk) for pk in list(ids))


def _remind(pk: UUID) -> bool:
    with transaction.atomic():
        order = Order.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk).first()
        # Somebody works on it just now: the next run sees what became of it.
        if order is None or not orders.is_alive(order):
            return False
        mails.write(key=f"order-ending:{order.pk}", template=TEMPLATE, to=order.email, order=order)
        return True
