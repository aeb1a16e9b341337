"""Payments: authorise, then confirm the reservations, then capture. Nobody pays for a unit that is not theirs.

    created -> authorised -> confirmed -> captured -> refunding -> refunded (by `refund_settling`)
    created -> declined
    created | confirmed -> cancelling -> cancelled (or refunding, if it was captured after all)
    declined | cancelled -> cancelling, when the bank says yes after all
    cancelling -> authorised, when its order has expired and gets its chance to take its units again

An intent's state says what is to be done next, and is committed before it is done. Every call to a provider
is idempotent by the intent's id and never made inside a transaction; every answer is recorded by one
conditional UPDATE. So a process may die between any two lines, and two may do the same step: `settle_due`
drives on what is unfinished, and asks the provider when an outcome is unknown (`payment_pauses` says when).

The provider's id of an intent is committed before the bank is asked: an intent without one never was, and
needs neither a question nor a cancellation.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from inventory import reservations
from shop import discounts, gateways, orders, payment_pauses, refund_settling, refunds
from shop.gateways import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    Declined,
    GatewayRefused,
    GatewayUnavailable,
    Pending,
    Status,
    UnknownGateway,
    View,
)
from shop.models import Order, PaymentIntent
from shop.provider_calls import NotAskedError, ask, somebody_waits

log = logging.getLogger(__name__)

State = PaymentIntent.State

#: Something is still to be done about an intent in one of these; refunds have states of their own.
UNFINISHED = (
    State.CREATED,
    State.AUTHORISED,
    State.CONFIRMED,
    State.CANCELLING,
)
#: Seconds after which a payment that no bank was asked about was never sent: longer than any call takes.
NEVER_SENT_SECONDS = 60
SETTLE_BATCH = 200
#: Seconds after which a run of `settle_due` leaves the rest to the next, once for payments and once for refunds:
#: a provider that is away costs each call its whole time limit, and CELERY_TASK_TIME_LIMIT ends the worker.
SETTLE_SECONDS = refund_settling.SETTLE_SECONDS
#: Steps of the longest way there is; more would be a loop.
MOST_STEPS = 8
GIVEN_UP = gettext_noop("You chose to pay in another way.")
NOTHING_FREE = gettext_noop(
    "The payment came after its time, and nothing was free any more. It goes back."
)
NOT_ASKED = gettext_noop(
    "The bank does not answer at the moment. Nothing was charged; please try again soon."
)
NEVER_SENT = gettext_noop(
    "The payment did not reach the bank. Nothing was charged; please try again."
)


@dataclass(frozen=True, slots=True)
class Started:
    """The order's payment, as far as it came; `intent.state` says how far."""

    intent: PaymentIntent


@dataclass(frozen=True, slots=True)
class NotPayable:
    """The order is not waiting for a payment, or its units are gone. Nothing was started."""

    order: Order


@dataclass(frozen=True, slots=True)
class NothingToPay:
    """The order comes to nothing, so it is paid, and no provider was asked."""

    order: Order


def start(*, order: Order, method: Mapping[str, Any]) -> Started | NotPayable | NothingToPay:
    """Pay an order in a way that the shopper chose, e.g. `{"method": "demo", "card": "approve"}`.

    While a payment of this order is on its way or done, that one is returned: a double click is one charge.
    After a decline the order keeps its units until its time is over, and this may be called again. An order
    that comes to nothing is paid without a payment, whatever was chosen.

    Raises:
        BadMethod: the way to pay makes no sense here.
    """
    if not order.total:
        return _pay_nothing(order)
    name, kept = read_method(method)
    with transaction.atomic():
        order = orders.hold_still(order.pk)
        live = order.payment_intents.filter(state__in=PaymentIntent.LIVE).first()
        if live is not None:
            return Started(live)
        if not orders.is_alive(order):
            return NotPayable(order)
        intent = order.payment_intents.create(
            gateway=name, method=kept, amount=order.total, currency=order.currency
        )
    _for_now(intent, lambda: _begin_or_decline(intent))
    return Started(intent)


def _pay_nothing(order: Order) -> NotPayable | NothingToPay:
    """Confirm the units, and the order is paid, in one transaction. A double click finds that done."""
    with transaction.atomic():
        order = orders.hold_still(order.pk)
        if order.state in (Order.State.PAID, Order.State.FULFILLED):
            return NothingToPay(order)
        ids = orders.reservation_ids(order)
        if order.state != Order.State.PENDING or not reservations.confirm(reservation_ids=ids):
            return NotPayable(order)
        orders.pay(order=order)
    order.refresh_from_db()
    return NothingToPay(order)


def come_back(intent: PaymentIntent) -> None:
    """The shopper returns from their bank: ask what came of it, and go on. Safe to call at any time."""
    _for_now(intent, lambda: settle(intent))


def give_up(*, order: Order) -> bool:
    """Let go of a payment that waits for the shopper at their bank, so that they can pay in another way.

    False when none does: the bank may have answered a moment ago.
    """
    with transaction.atomic():
        order = orders.hold_still(order.pk)
        waiting = order.payment_intents.filter(state=State.CREATED, action__isnull=False).first()
        if waiting is None or not _move(
            waiting, [State.CREATED], State.CANCELLING, decline_reason=GIVEN_UP
        ):
            return False
        orders.record(order=order, kind="payment_given_up", message=GIVEN_UP)
    _for_now(waiting, lambda: drive(waiting.pk))
    return True


def read_method(method: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The gateway that a choice names, and what is kept of the choice. Raises `gateways.BadMethod`."""
    name = method.get("method")
    if not isinstance(name, str) or name not in gateways.offered():
        offered = ", ".join(gateways.offered()) or "none"
        raise gateways.BadMethod(f"Payment methods here: {offered}.")
    return name, gateways.find(name).read_method(method)


def drive(intent_id: UUID) -> PaymentIntent:
    """Do what is next about an intent until it is finished or waits for somebody else.

    Raises:
        GatewayUnavailable: the outcome of a call is unknown; the state still says what is to be done.
    """
    steps: dict[str, Callable[[PaymentIntent], None]] = {
        State.AUTHORISED: _confirm,
        State.CONFIRMED: _capture,
        State.CANCELLING: _cancel,
    }
    for _ in range(MOST_STEPS):
        intent = PaymentIntent.objects.get(pk=intent_id)
        step = steps.get(intent.state)
        if step is None:
            return intent
        step(intent)
    raise RuntimeError(f"Payment {intent_id} does not come to rest.")


def look_up(intent: PaymentIntent) -> None:
    """Ask the provider about an intent whose outcome is unknown, and record what it says."""
    status = Status(View.UNKNOWN)
    if intent.reference:
        status = ask(intent, lambda gateway: gateway.status(intent))
    match status.view:
        case View.PENDING:
            payment_pauses.nothing_yet(intent, action=status.action)
        case View.AUTHORISED | View.CAPTURED | View.REFUNDED:
            record_authorised(intent.pk, reference=status.reference)
        case View.DECLINED | View.CANCELLED:
            record_declined(intent.pk, reason=gettext_noop("The bank declined this payment."))
        case View.UNKNOWN if not _is_younger_than(intent, NEVER_SENT_SECONDS):
            if intent.reference:
                # Should the call come through all the same, the bank is not asked.
                ask(intent, lambda gateway: gateway.cancel(intent))
            record_declined(intent.pk, reason=NEVER_SENT)


def record_authorised(intent_id: UUID, *, reference: str) -> None:
    """The bank keeps the amount for us: news, or something that we know already.

    An order that expired meanwhile gets its chance to take its units again, by a payment that its shopper
    has not given up. Money that was authorised for one that they have is let go of, if the provider still
    keeps it.
    """
    with transaction.atomic():
        intent = PaymentIntent.objects.get(pk=intent_id)
        order = orders.hold_still(intent.order_id)
        intent.refresh_from_db()
        states = [State.CREATED]
        is_wanted = intent.decline_reason != GIVEN_UP and not _came_late(intent)
        if order.state == Order.State.EXPIRED and is_wanted and not _has_live(order):
            states.append(State.CANCELLING)
        if _move(intent, states, State.AUTHORISED, reference=reference):
            return
    intent.refresh_from_db()
    if intent.state in (State.DECLINED, State.CANCELLED):
        intent.reference = intent.reference or reference
        status = ask(intent, lambda gateway: gateway.status(intent))
        if status.view in (View.AUTHORISED, View.CAPTURED):
            _move(
                intent,
                [State.DECLINED, State.CANCELLED],
                State.CANCELLING,
                reference=reference,
            )


def record_declined(intent_id: UUID, *, reason: str) -> None:
    """The bank said no. The order keeps its units until its time is over; the shopper may try again."""
    with transaction.atomic():
        intent = PaymentIntent.objects.get(pk=intent_id)
        order = orders.hold_still(intent.order_id)
        if _move(intent, [State.CREATED], State.DECLINED, decline_reason=reason[:200]):
            orders.record(
                order=order,
                kind="payment_declined",
                message=gettext_noop("Not paid: %(reason)s"),
                values={"reason": reason},
            )


def settle(intent: PaymentIntent) -> PaymentIntent:
    """Drive one intent on; where the outcome of its first call is unknown, ask before.

    Raises:
        GatewayUnavailable: there is no answer now either.
    """
    if intent.state == State.CREATED:
        look_up(intent)
    return drive(intent.pk)


def settle_due(*, limit: int = SETTLE_BATCH) -> int:
    """Drive on what is unfinished; return how many intents and refunds came to rest.

    Safe to run twice at once: provider calls are idempotent, and each answer is recorded once.
    """
    # In no order: a batch of payments that wait for their bank must not keep the others waiting.
    due = PaymentIntent.objects.filter(payment_pauses.due(), state__in=UNFINISHED).order_by("?")
    settled, until = 0, monotonic() + SETTLE_SECONDS
    for intent in due[:limit]:
        if monotonic() > until:
            break
        try:
            settled += settle(intent).state not in UNFINISHED
        except GatewayUnavailable as error:
            log.warning("%s: %s of %s waits: %s", intent.gateway, intent.state, intent.pk, error)
        except GatewayRefused:
            # For a person to look at: the admin and the audit name it, and the others go on.
            log.exception("%s refuses: %s is %s", intent.gateway, intent.pk, intent.state)
        except UnknownGateway:
            log.exception("%s: switched off, and %s is %s", intent.gateway, intent.pk, intent.state)
        except Exception as error:
            # Whatever it is, it is this payment's: it waits like one without an answer, and the others go on.
            log.exception("Payment %s is %s", intent.pk, intent.state)
            payment_pauses.failed(intent, error)
    return settled + refund_settling.settle_due(limit=limit)


def _begin_or_decline(intent: PaymentIntent) -> None:
    """Begin; who would have to wait for a provider that does not answer is told so at once."""
    try:
        _begin(intent)
    except NotAskedError:
        # Only if no bank was asked: what is authorised or confirmed is left to beat.
        record_declined(intent.pk, reason=NOT_ASKED)
        raise


def _begin(intent: PaymentIntent) -> None:
    """Make the intent known to its provider, commit its id there, and only then ask the bank."""
    prepared = ask(intent, lambda gateway: gateway.prepare(intent), is_telling=False)
    if isinstance(prepared, Declined):
        record_declined(intent.pk, reason=prepared.reason)
        return
    # Given up meanwhile: then nobody asks the bank.
    if _move(intent, [State.CREATED], State.CREATED, reference=prepared.reference):
        intent.reference = prepared.reference
        _authorise(intent)
        drive(intent.pk)


def _authorise(intent: PaymentIntent) -> None:
    answer = ask(intent, lambda gateway: gateway.authorise(intent))
    match answer:
        case Authorised(reference):
            record_authorised(intent.pk, reference=reference)
        case Declined(reason):
            record_declined(intent.pk, reason=reason)
        case Pending(reference):
            _move(intent, [State.CREATED], State.CREATED, reference=reference)
        case ActionRequired(reference, action):
            _move(intent, [State.CREATED], State.CREATED, reference=reference, action=dict(action))


def _confirm(intent: PaymentIntent) -> None:
    """Authorised to confirmed, if the units are (still, or again) the shopper's; else to cancelling."""
    with transaction.atomic():
        order = orders.hold_still(intent.order_id)
        ids = orders.reservation_ids(order)
        if not _move(intent, [State.AUTHORISED], State.CONFIRMED):
            return
        if order.state == Order.State.PENDING and reservations.confirm(reservation_ids=ids):
            return
        reason = NOTHING_FREE
        may_retake = order.state in (Order.State.PENDING, Order.State.EXPIRED)
        if may_retake and reservations.retake(reservation_ids=ids):
            if discounts.take_again(order=order):
                orders.revive(order=order)
                return
            reservations.release(reservation_ids=ids, reason="its discount code is used up")
            reason = discounts.CODE_GONE
        _move(intent, [State.CONFIRMED], State.CANCELLING, decline_reason=reason)
        orders.record(order=order, kind="payment_late", message=reason)
        # Not "expired": the mail about that says that no payment came; the one about the return is right.
        orders.close_unpaid(
            order=order, message=gettext_noop("The time to pay was over."), kind="closed"
        )


def _capture(intent: PaymentIntent) -> None:
    """Confirmed to captured, and the order with it to paid; what can never be captured is undone."""
    try:
        ask(intent, lambda gateway: gateway.capture(intent))
    except GatewayRefused as refusal:
        _undo(intent, reason=str(refusal))
        return
    with transaction.atomic():
        order = orders.hold_still(intent.order_id)
        if _move(intent, [State.CONFIRMED], State.CAPTURED) and not orders.pay(order=order):
            log.error("Order %s was %s when its payment came", order.reference, order.state)
            refunds.give_back_rest(intent, order=order, reason=gettext_noop("the order was closed"))


def _undo(intent: PaymentIntent, *, reason: str) -> None:
    log.warning("%s: payment %s cannot be captured: %s", intent.gateway, intent.pk, reason)
    with transaction.atomic():
        order = orders.hold_still(intent.order_id)
        if _move(intent, [State.CONFIRMED], State.CANCELLING, decline_reason=reason[:200]):
            orders.cancel(order=order, actor="", reason=gettext_noop("the bank did not pay"))


def _cancel(intent: PaymentIntent) -> None:
    try:
        if intent.reference:
            ask(intent, lambda gateway: gateway.cancel(intent))
    except AlreadyCaptured:
        with transaction.atomic():
            order = orders.hold_still(intent.order_id)
            refunds.give_back_rest(
                intent, order=order, reason=gettext_noop("the payment was not wanted any more")
            )
        return
    with transaction.atomic():
        order = orders.hold_still(intent.order_id)
        if not _move(intent, [State.CANCELLING], State.CANCELLED):
            return
        if _came_late(intent):
            orders.record(
                order=order,
                kind="payment_returned",
                message=gettext_noop("Your late payment was given back."),
                context={"code_is_gone": intent.decline_reason == discounts.CODE_GONE},
            )


def _for_now(intent: PaymentIntent, work: Callable[[], object]) -> None:
    """Do as much as can be done while the shopper waits; beat does the rest."""
    try:
        with somebody_waits():
            work()
    except (GatewayUnavailable, GatewayRefused, UnknownGateway) as error:
        log.warning("%s: payment %s is left to beat: %s", intent.gateway, intent.pk, error)
    intent.refresh_from_db()


def _move(intent: PaymentIntent, states: list[State], to: State, **fields: Any) -> bool:
    """The only way an intent changes here: from one of `states`, or not at all."""
    if to != State.CREATED:
        fields["action"] = None
    rows = PaymentIntent.objects.filter(pk=intent.pk, state__in=states)
    return bool(rows.update(state=to, updated_at=Now(), tries=0, last_error="", **fields))


def _came_late(intent: PaymentIntent) -> bool:
    """Whether this payment has had its one try to find the units free again, and goes back."""
    return intent.decline_reason in (NOTHING_FREE, discounts.CODE_GONE)


def _has_live(order: Order) -> bool:
    return order.payment_intents.filter(state__in=PaymentIntent.LIVE).exists()


def _is_younger_than(intent: PaymentIntent, seconds: float) -> bool:
    since = Now() - timedelta(seconds=seconds)
    return PaymentIntent.objects.filter(pk=intent.pk, created_at__gt=since).exists()
