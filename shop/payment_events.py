"""What providers tell us: stored under their own id first, processed second, with one effect in all.

An event may come twice, days late, out of order, before the browser is back, or about a payment that we do
not know. It is never more than a hint: the state of the intent decides whether there is anything to do.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from celery import shared_task
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.db.models.functions import Least, Now
from django.utils.translation import gettext_noop

from shop import gateways, payment_pauses, payments, refund_checks, refund_settling
from shop.gateways import EventKind, GatewayRefused, GatewayUnavailable, UnknownGateway
from shop.models import PaymentEvent, PaymentIntent

log = logging.getLogger(__name__)

#: Seconds that the task asked for on arrival is given before the beat task steps in.
PROCESS_AFTER_SECONDS = 5
PROCESS_BATCH = 200
UNKNOWN_PAYMENT = "unknown payment"
#: How often an event about an unknown payment is looked at again: a few minutes in all.
UNKNOWN_TRIES = 6
#: What `process` says of an event that will be tried again.
WAITING = "waiting"
TRIED_AGAIN = (GatewayUnavailable, GatewayRefused, UnknownGateway)


@dataclass(frozen=True, slots=True)
class Received:
    """The event is stored; `is_new` is False when it had come before."""

    event: PaymentEvent
    is_new: bool


def receive(*, gateway: str, body: bytes, headers: Mapping[str, str]) -> Received:
    """Verify an event and store it; it is processed by a task after the commit.

    Raises:
        UnknownGateway: no such gateway is switched on.
        BadSignature: the provider did not send this.
    """
    parsed = gateways.find(gateway).parse_event(body, headers)
    with transaction.atomic():
        event, is_new = PaymentEvent.objects.get_or_create(
            gateway=gateway,
            event_id=parsed.event_id,
            defaults={
                "kind": parsed.kind,
                "reference": parsed.reference,
                "payload": {
                    "intent": str(parsed.intent_id or ""),
                    "refund": str(parsed.refund_id or ""),
                    "event": parsed.payload,
                },
            },
        )
        if is_new:
            # Robust: with the broker away the event is stored, and the beat task finds it.
            transaction.on_commit(lambda: process_event.delay(event.pk), robust=True)
    return Received(event=event, is_new=is_new)


@shared_task
def process_event(event_pk: int) -> None:
    """Process one stored event. Run twice, it has one effect: the intent's state decides."""
    try:
        process(event_pk)
    except TRIED_AGAIN as error:
        log.warning("Payment event %s waits: %s", event_pk, error)


def process(event_pk: int) -> str:
    """Do what an event calls for, and note what came of it: that is returned, too.

    Raises:
        GatewayUnavailable, GatewayRefused, UnknownGateway: noted, and tried again later; so is what nobody
            foresaw.
    """
    event = PaymentEvent.objects.get(pk=event_pk)
    if event.processed_at is not None:
        return event.outcome
    intent = _intent_of(event)
    if intent is None:
        return _unknown(event)
    try:
        outcome = _apply(event, intent)
    except Exception as error:
        _put_off(event, error=f"{type(error).__name__}: {error}")
        raise
    return _done(event, outcome)


def process_due(*, limit: int = PROCESS_BATCH) -> int:
    """Process what was stored a while ago and left lying, or failed; return how many events are done."""
    old = Now() - timedelta(seconds=PROCESS_AFTER_SECONDS)
    due = PaymentEvent.objects.filter(processed_at=None, received_at__lt=old, due_at__lte=Now())
    done, until = 0, monotonic() + payments.SETTLE_SECONDS
    for pk in due.order_by("due_at").values_list("pk", flat=True)[:limit]:
        if monotonic() > until:
            break
        try:
            done += process(pk) != WAITING
        except TRIED_AGAIN as error:
            log.warning("Payment event %s waits: %s", pk, error)
        except DatabaseError:
            raise
        except Exception:
            # One event that nobody foresaw must not keep the others waiting.
            log.exception("Payment event %s failed", pk)
    return done


def retry(*, event: PaymentEvent) -> str:
    """Process an event again, on a person's wish; return what came of it."""
    PaymentEvent.objects.filter(pk=event.pk).update(processed_at=None, outcome="", due_at=Now())
    return process(event.pk)


def _done(event: PaymentEvent, outcome: str) -> str:
    unprocessed = PaymentEvent.objects.filter(pk=event.pk, processed_at=None)
    unprocessed.update(processed_at=Now(), outcome=outcome, last_error="")
    return outcome


def _unknown(event: PaymentEvent) -> str:
    """Kept, and looked at again for a while: a payment may be restored or committed after its event."""
    log.warning("%s event %s is about an unknown payment", event.gateway, event.event_id)
    if event.tries >= UNKNOWN_TRIES:
        return _done(event, UNKNOWN_PAYMENT)
    _put_off(event, error=UNKNOWN_PAYMENT)
    return WAITING


def _put_off(event: PaymentEvent, *, error: str) -> None:
    seconds = payment_pauses.PAUSES[min(event.tries, len(payment_pauses.PAUSES) - 1)]
    PaymentEvent.objects.filter(pk=event.pk, processed_at=None).update(
        tries=Least(F("tries") + 1, payment_pauses.MOST_TRIES),
        last_error=error[:200],
        due_at=Now() + timedelta(seconds=seconds),
    )


def _intent_of(event: PaymentEvent) -> PaymentIntent | None:
    """By our own id when the provider carries it along: its reference may not have reached us yet."""
    by_id = Q(pk=event.payload["intent"]) if event.payload["intent"] else Q()
    by_reference = Q(reference=event.reference) & ~Q(reference="")
    known = PaymentIntent.objects.filter(by_id or by_reference, gateway=event.gateway)
    return known.first()


def _apply(event: PaymentEvent, intent: PaymentIntent) -> str:
    before = intent.state
    match event.kind:
        case EventKind.AUTHORISED:
            payments.record_authorised(intent.pk, reference=event.reference)
        case EventKind.DECLINED:
            payments.record_declined(
                intent.pk, reason=gettext_noop("The bank declined this payment.")
            )
        case EventKind.CAPTURED | EventKind.CANCELLED | EventKind.REFUNDED:
            if intent.state == PaymentIntent.State.CREATED:
                # It overtook the event before it, or the answer to the call: the provider knows.
                intent.reference = intent.reference or event.reference
                payments.look_up(intent)
            if event.kind == EventKind.REFUNDED:
                # Perhaps by somebody who is at home at the provider, past our books.
                refund_checks.ask_soon(intent)
        case EventKind.REFUND_FAILED:
            named = event.payload["refund"]
            refund = intent.refunds.filter(pk=named).first() if named else None
            has_failed = refund is not None and refund_settling.record_failed(refund)
            return "the refund failed" if has_failed else "nothing to do"
        case _:
            return "ignored"
    after = payments.drive(intent.pk).state
    return "nothing to do" if after == before else f"{before} to {after}"
