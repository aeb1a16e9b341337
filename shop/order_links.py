"""The way back to an order for whoever has lost its mail: the link once more, to the address that ordered.

Nothing is shown to whoever asks: they may be a stranger who read the number off a parcel. What the page says, and
how long it takes to, is the same whether or not there is such an order; the worker looks.
"""

import re
import time

from celery import shared_task
from django.db import transaction

from shop import mails
from shop.models import Order

#: Seconds in which one order's link is sent once, however often it is asked for.
PERIOD_SECONDS = 600


def ask(*, reference: str, email: str) -> None:
    """Have an order's link sent to `email`, if that is the address that it was placed with.

    With the broker away nothing comes, and the shopper asks again.
    """
    transaction.on_commit(lambda: send_order_link.delay(reference, email), robust=True)


@shared_task
def send_order_link(reference: str, email: str) -> None:
    """Write the mail. Run twice, or asked for again soon, it is one: by its key."""
    found = Order.objects.filter(reference=as_written(reference), email__iexact=email).first()
    if found is not None:
        period = int(time.time()) // PERIOD_SECONDS
        mails.write(
            key=f"order-link:{found.pk}:{period}",
            template="order_link",
            to=found.email,
            order=found,
        )


def as_written(typed: str) -> str:
    """A reference as the shop writes it, from what somebody typed: `k7mx 4qpd9trw` is `K7MX-4QPD-9TRW`."""
    signs = re.sub(r"[^0-9A-Z]", "", typed.upper())
    return "-".join(signs[start : start + 4] for start in range(0, len(signs), 4))
