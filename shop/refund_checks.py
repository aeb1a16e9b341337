"""Do the provider's books and ours agree about what was given back? It is asked, and staff see where not.

A payment is asked about when a refund of it has ended, and when the provider tells of one: that may have been
made at the provider, past our books. What it says is kept with the payment (`given_back`). A difference stands on
the order's timeline, is alerted of once, and is a breach of the audit until the books agree. Nothing is mended by
itself: which book is right is for a person to say.
"""

import logging
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from inventory import alerts
from shop.gateways import GatewayRefused, GatewayUnavailable, UnknownGateway
from shop.models import PaymentIntent, Refund
from shop.order_states import hold_still, record
from shop.provider_calls import ask
from shop.templatetags.shop import money

log = logging.getLogger(__name__)

State = PaymentIntent.State
#: Payments that may have given something back.
TOOK = (State.CAPTURED, State.REFUNDING, State.REFUNDED)
#: Payments that one run asks about, and seconds after which it leaves the rest to the next.
CHECK_BATCH = 100
CHECK_SECONDS = 30
#: Seconds until a provider that did not answer is asked again: nobody waits for it.
PAUSE_SECONDS = 300


def ask_soon(intent: PaymentIntent) -> None:
    """Have the provider asked what it gave back of a payment; in the caller's transaction, if there is one."""
    PaymentIntent.objects.filter(pk=intent.pk, state__in=TOOK).update(ask_refunds_at=Now())


def differing() -> QuerySet[PaymentIntent]:
    """Payments of which the provider gave back another amount than our books say, as far as it was asked."""
    done = Refund.objects.filter(intent=OuterRef("pk"), state=Refund.State.DONE)
    ours = done.order_by().values("intent").annotate(sum=Sum("amount")).values("sum")
    asked = PaymentIntent.objects.filter(~_has_pending(), ask_refunds_at=None)
    return asked.alias(ours=Coalesce(Subquery(ours), Decimal(0))).exclude(
        Q(given_back=None) | Q(given_back=F("ours"))
    )


def check_due(*, limit: int = CHECK_BATCH) -> int:
    """Ask about the payments that are due; return how many were answered for.

    One with a refund under way is asked about when that has ended.
    """
    due = PaymentIntent.objects.filter(~_has_pending(), ask_refunds_at__lte=Now())
    answered, until = 0, monotonic() + CHECK_SECONDS
    for pk in list(due.order_by("ask_refunds_at").values_list("pk", flat=True)[:limit]):
        if monotonic() > until:
            break
        try:
            check(pk)
            answered += 1
        except (GatewayUnavailable, GatewayRefused, UnknownGateway) as error:
            log.warning("What payment %s gave back is not known: %s", pk, error)
            PaymentIntent.objects.filter(pk=pk).update(
                ask_refunds_at=Now() + timedelta(seconds=PAUSE_SECONDS)
            )
    return answered


def check(intent_id: UUID) -> None:
    """Ask the provider what it gave back of a payment, keep it, and tell staff of a difference that is news.

    Raises:
        GatewayUnavailable, GatewayRefused, UnknownGateway: there is no answer.
    """
    intent = PaymentIntent.objects.get(pk=intent_id)
    theirs = ask(intent, lambda gateway: gateway.status(intent)).refunded
    with transaction.atomic():
        order = hold_still(intent.order_id)
        # Not if a refund has ended meanwhile: then it is asked once more.
        unchanged = PaymentIntent.objects.filter(
            ~_has_pending(), pk=intent.pk, ask_refunds_at=intent.ask_refunds_at
        )
        if not unchanged.update(given_back=theirs, ask_refunds_at=None):
            return
        is_news = theirs is not None and theirs != intent.given_back
        if not is_news or not differing().filter(pk=intent.pk).exists():
            return
        done = intent.refunds.filter(state=Refund.State.DONE)
        ours = done.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
        said = (
            f"{intent.gateway} says that it gave back {money(theirs or Decimal(0), intent.currency)} of a payment; "
            f"our books say {money(ours, intent.currency)}."
        )
        record(order=order, kind="refunds_differ", message=said, is_internal=True)
    alerts.alert(
        subject=f"refunds of order {order.reference} differ from the provider's",
        body=f"{said}\n\nLook in the admin, at Payments, and at the provider.",
    )


def _has_pending() -> Exists:
    return Exists(Refund.objects.filter(intent=OuterRef("pk"), state=Refund.State.PENDING))
