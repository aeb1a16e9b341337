"""Mail about a hold that nobody has ordered yet: it is about to end, or it has ended.

Orders have mails of their own (`shop.emails`); a purchase has these until it has an order. Beat looks every few
seconds. The outbox keeps one mail of each kind for a purchase, however often a run sees it.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    CharField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast, Concat, Least, Now
from django.urls import reverse

from flashsale.models import Purchase
from inventory.models import Reservation
from shop import mails
from shop.models import OutgoingMail
from shop.order_endings import MOST_SECONDS_BEFORE

#: The mail goes out in the last quarter of a hold, and no sooner than that about an unpaid order.
SHARE_OF_HOLD = 4
#: A hold shorter than this is over before somebody has opened a mail about it.
SHORTEST_HOLD_SECONDS = 240
#: How long after its end the end of a hold is news.
LATEST_MINUTES = 60
#: Mails of a kind that one run writes down.
BATCH = 200

_SECOND = Value(timedelta(seconds=1))
_ENDS = F("reservation__expires_at")


def write_due() -> int:
    """Write down the mails that are due; return how many."""
    ahead = ExpressionWrapper(
        Least(F("sale__hold_seconds") / SHARE_OF_HOLD, MOST_SECONDS_BEFORE) * _SECOND,
        output_field=DurationField(),
    )
    ending = _held_by_nobody_s_order("ending").filter(
        reservation__state=Reservation.State.HELD,
        reservation__expires_at__gt=Now(),
        reservation__expires_at__lte=Now() + timedelta(seconds=MOST_SECONDS_BEFORE),
        sale__hold_seconds__gte=SHORTEST_HOLD_SECONDS,
    )
    ended = _held_by_nobody_s_order("ended").filter(
        reservation__state=Reservation.State.EXPIRED,
        reservation__expires_at__gt=Now() - timedelta(minutes=LATEST_MINUTES),
    )
    return _write(ending.filter(reservation__expires_at__lte=Now() + ahead), "ending") + _write(
        ended, "ended"
    )


def _held_by_nobody_s_order(kind: str) -> QuerySet[Purchase]:
    """Purchases without an order and without this mail; rehearsals have nobody to write to."""
    key = Concat(Value(f"hold-{kind}:"), Cast(OuterRef("pk"), CharField()))
    written = OutgoingMail.objects.filter(key=key)
    return Purchase.objects.filter(
        ~Exists(written), order=None, sale__is_rehearsal=False, shopper__is_active=True
    )


def _write(purchases: QuerySet[Purchase], kind: str) -> int:
    due = purchases.select_related("sale", "item__variant__product", "reservation", "shopper")
    rows = list(due.order_by(_ENDS)[:BATCH])
    for purchase in rows:
        mails.write(
            key=f"hold-{kind}:{purchase.pk}",
            template=f"hold_{kind}",
            to=purchase.shopper.email,
            language=purchase.shopper.language,
            context=_context(purchase),
        )
    return len(rows)


def _context(purchase: Purchase) -> dict[str, Any]:
    checkout = reverse("flashsale:purchase-checkout", args=[purchase.pk])
    held = purchase.reservation
    may_extend = purchase.sale.hold_extension_seconds > 0
    return {
        "can_extend": may_extend and held is not None and held.extended_at is None,
        "sale_name": purchase.sale.name,
        "item_name": purchase.item.variant.full_name,
        "quantity": purchase.quantity,
        "checkout_url": f"{settings.SITE_URL}{checkout}",
        "sale_url": f"{settings.SITE_URL}{purchase.sale.get_absolute_url()}",
    }
