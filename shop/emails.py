"""What mails about orders say: which follows from what on an order's timeline, and how it leads to the order.

`order_states.record` writes them down in the outbox, `mails`, which sends them.
"""

from typing import Any

from django.conf import settings
from django.core import signing

from shop.models import Order

#: The mail that follows from a kind of timeline event.
MAILS = {
    "placed": "order_received",
    "paid": "order_paid",
    "fulfilled": "order_shipped",
    "expired": "order_expired",
    "cancelled": "order_cancelled",
    "refunded": "order_refunded",
    "payment_returned": "late_payment_returned",
    "return_requested": "return_requested",
    "return_approved": "return_approved",
    "return_refused": "return_refused",
    "return_received": "return_received",
}
#: What a mail may have been written with by which one acts as whoever it went to.
SIGNED = frozenset({"alert_url", "offer_url"})
_SALT = "holdfast.order-link"


def context_of(order: Order, *, is_signed: bool = True) -> dict[str, Any]:
    """What the templates of mails about an order find, besides what was written down with the mail.

    `is_signed` is for the shopper alone: with a guest's signed address one acts as that guest.
    """
    return {
        "order": order,
        "line_items": list(order.line_items.all()),
        "order_url": order_url(order) if is_signed else _address_of(order),
    }


def order_url(order: Order) -> str:
    """The order's address for a mail; a guest's carries a signature that opens it in any browser."""
    url = _address_of(order)
    return url if order.user_id else f"{url}?access={signing.dumps(order.reference, salt=_SALT)}"


def _address_of(order: Order) -> str:
    return f"{settings.SITE_URL}{order.get_absolute_url()}"


def opens(*, order: Order, access: str) -> bool:
    """Whether `access` is the signature out of a mail about this order."""
    try:
        return bool(signing.loads(access, salt=_SALT) == order.reference)
    except signing.BadSignature:
        return False
