"""Giving money back: a refund that is written down, driven until the provider has answered.

The call is made outside of any transaction, with the refund's own id as the provider's key, so it may be
repeated at any time; the answer is recorded by one conditional UPDATE. What a provider refuses is told to
staff and waits for them.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from inventory import alerts
from shop import credit_notes, gateways, refund_checks, refund_sums, timeline
from shop.discounts import CODE_GONE
from shop.gateways import GatewayRefused, GatewayUnavailable
from shop.models import PaymentIntent, Refund
from shop.order_states import State, hold_still, record
from shop.refund_sums import shown

log = logging.getLogger(__name__)

Intent = PaymentIntent.State
#: Refunds that one run drives.
SETTLE_BATCH = 200
#: Seconds after which a run leaves the rest to the next.
SETTLE_SECONDS = 30
#: Seconds between the first call that was not answered and the second; each pause is twice the one before.
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 60


def settle(refund_id: UUID) -> Refund:
    """Have the provider give the money back, and record its answer; safe to repeat at any time."""
    refund = Refund.objects.select_related("intent").get(pk=refund_id)
    if refund.state != Refund.State.PENDING:
        return refund
    if connection.in_atomic_block:
        raise RuntimeError("A payment provider must not be called inside a transaction.")
    try:
        gateway = gateways.find(refund.intent.gateway)
        gateway.refund(refund.intent, refund.amount, key=refund.pk)
    except (GatewayUnavailable, gateways.UnknownGateway) as error:
        _wait(refund, str(error))
    except GatewayRefused as refusal:
        _record_refused(refund, str(refusal))
    else:
        _record_done(refund)
    refund.refresh_from_db()
    return refund


def settle_due(*, limit: int = SETTLE_BATCH) -> int:
    """Drive on the refunds that are due, for `SETTLE_SECONDS`; return how many came to an end.

    What goes wrong with one keeps no other waiting.
    """
    due = Refund.objects.filter(state=Refund.State.PENDING, due_at__lte=Now()).order_by("due_at")
    ended, until = 0, monotonic() + SETTLE_SECONDS
    for refund in list(due[:limit]):
        if monotonic() > until:
            break
        try:
            ended += settle(refund.pk).state != Refund.State.PENDING
        except Exception as error:
            log.exception("Refund %s", refund.pk)
            _wait(refund, str(error))
    return ended


def record_failed(refund: Refund) -> bool:
    """The provider tells that a refund failed, mostly after it had said that it was made; False when known."""
    return _record_refused(
        refund,
        "It failed at the bank, and the money came back to us.",
        states=[Refund.State.PENDING, Refund.State.DONE],
    )


def _record_done(refund: Refund) -> None:
    with transaction.atomic():
        order = hold_still(refund.order_id)
        pending = Refund.objects.filter(pk=refund.pk, state=Refund.State.PENDING)
        if not pending.update(state=Refund.State.DONE, done_at=Now(), updated_at=Now(), error=""):
            return
        credit_notes.number_all(order)
        refund_checks.ask_soon(refund.intent)
        if refund_sums.is_all_back(refund.intent):
            PaymentIntent.objects.filter(pk=refund.intent_id, state=Intent.REFUNDING).update(
                state=Intent.REFUNDED, updated_at=Now()
            )
        amount = {"amount": timeline.amount(refund.amount, refund.currency)}
        message, values = gettext_noop("%(amount)s is on its way back to you."), amount
        match order.state:
            case State.EXPIRED:
                kind = "payment_returned"
                message, values = gettext_noop("Your late payment was given back."), {}
            case State.PAID | State.FULFILLED | State.REFUNDED:
                kind = "refunded"
            case _:
                # A cancelled order's mail has said that the money comes back.
                kind = "money_returned"
        record(
            order=order,
            kind=kind,
            message=message,
            values=values,
            context={
                "amount": str(refund.amount),
                "currency": refund.currency,
                "code_is_gone": refund.intent.decline_reason == CODE_GONE,
            },
        )


def _record_refused(
    refund: Refund, why: str, *, states: Sequence[Refund.State] = (Refund.State.PENDING,)
) -> bool:
    with transaction.atomic():
        order = hold_still(refund.order_id)
        known = Refund.objects.filter(pk=refund.pk, state__in=states)
        if not known.update(
            state=Refund.State.REFUSED, updated_at=Now(), done_at=None, error=why[:200]
        ):
            return False
        PaymentIntent.objects.filter(pk=refund.intent_id, state=Intent.REFUNDED).update(
            state=Intent.REFUNDING, updated_at=Now()
        )
        refund_checks.ask_soon(refund.intent)
        record(
            order=order,
            kind="refund_refused",
            message=f"The provider refused a refund of {shown(refund)}: {why}",
            is_internal=True,
        )
    alerts.alert(
        subject=f"a refund of order {order.reference} was refused",
        body=f"{shown(refund)}: {why}\n\nLook in the admin, at the order's refunds.",
    )
    return True


def _wait(refund: Refund, error: str) -> None:
    log.warning("Refund %s waits: %s", refund.pk, error)
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(refund.tries, 10), LONGEST_PAUSE_SECONDS)
    Refund.objects.filter(pk=refund.pk, state=Refund.State.PENDING, tries=refund.tries).update(
        tries=F("tries") + 1,
        due_at=Now() + timedelta(seconds=pause),
        updated_at=Now(),
        error=error[:200],
    )
