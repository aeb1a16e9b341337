"""A payment provider inside the shop, for demonstration and tests: no money moves.

It keeps a book of its own (`DemoAuthorisation`), which the shop never reads, and sends signed events as
real providers do (`DemoDelivery`). The card says how the bank answers. It refuses what a real one refuses.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils import timezone

from shop.gateways.protocol import (
    AlreadyCaptured,
    Authorised,
    BadMethod,
    BadSignature,
    Declined,
    EventKind,
    GatewayRefused,
    ParsedEvent,
    Pending,
    Status,
    View,
)
from shop.models import DemoAuthorisation, DemoDelivery, PaymentIntent

SIGNATURE_HEADER = "Demo-Signature"
#: Seconds until the bank of a `late` card answers: long enough to see, short enough to wait for.
LATE_SECONDS = 8
#: How often the event about a `duplicate` card is sent.
DUPLICATES = 3
#: Events sent in one run of the beat task.
DELIVERIES = 200
DECLINE_REASON = "The bank declined this card."

Row = DemoAuthorisation.State


class Card(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"
    LATE = "late"
    DUPLICATE = "duplicate"


class DemoGateway:
    """The provider's side of the protocol. Each method is one transaction on the provider's own book."""

    def read_method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        if method.get("card") not in list(Card):
            raise BadMethod(f"The demo card is one of: {', '.join(Card)}.")
        return {"method": "demo", "card": method["card"]}

    def authorise(self, intent: PaymentIntent) -> Authorised | Declined | Pending:
        card = Card(intent.method["card"])
        answers = {Card.DECLINE: Row.DECLINED, Card.LATE: Row.PENDING}
        with transaction.atomic():
            row, is_new = DemoAuthorisation.objects.get_or_create(
                reference=reference_of(intent),
                defaults={
                    "amount": intent.amount,
                    "currency": intent.currency,
                    "state": answers.get(card, Row.AUTHORISED),
                },
            )
            if is_new:
                kind = EventKind.DECLINED if row.state == Row.DECLINED else EventKind.AUTHORISED
                _announce(
                    intent,
                    kind,
                    times=DUPLICATES if card is Card.DUPLICATE else 1,
                    after=LATE_SECONDS if card is Card.LATE else 0,
                )
        match row.state:
            case Row.PENDING:
                return Pending(row.reference)
            case Row.DECLINED:
                return Declined(DECLINE_REASON)
            case Row.CANCELLED:
                return Declined("This payment was cancelled.")
            case _:
                return Authorised(row.reference)

    def capture(self, intent: PaymentIntent) -> None:
        with transaction.atomic():
            if _move(intent, [Row.AUTHORISED], Row.CAPTURED):
                _announce(intent, EventKind.CAPTURED)
                return
        state = _state(intent)
        if state not in (Row.CAPTURED, Row.REFUNDED):
            raise GatewayRefused(f"A payment that is {state or 'unknown'} cannot be captured.")

    def cancel(self, intent: PaymentIntent) -> None:
        with transaction.atomic():
            # A tombstone: a call to authorise that is still on its way finds it and gets no money.
            _, is_new = DemoAuthorisation.objects.get_or_create(
                reference=reference_of(intent),
                defaults={
                    "amount": intent.amount,
                    "currency": intent.currency,
                    "state": Row.CANCELLED,
                },
            )
            if is_new or _move(intent, [Row.PENDING, Row.AUTHORISED], Row.CANCELLED):
                _announce(intent, EventKind.CANCELLED)
                return
        if _state(intent) in (Row.CAPTURED, Row.REFUNDED):
            raise AlreadyCaptured("A captured payment cannot be cancelled; refund it.")

    def refund(self, intent: PaymentIntent, amount: Decimal, key: UUID) -> None:
        with transaction.atomic():
            rows = DemoAuthorisation.objects.select_for_update()
            row = rows.filter(reference=reference_of(intent)).first()
            if row is None or row.state not in (Row.CAPTURED, Row.REFUNDED):
                raise GatewayRefused("Nothing was captured, so nothing can be refunded.")
            if row.refunds.filter(key=key).exists():
                return
            given_back = row.refunds.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
            left = row.amount - given_back
            if amount > left:
                raise GatewayRefused(f"{amount} is more than the {left} that can be given back.")
            row.refunds.create(key=key, amount=amount)
            if amount == left:
                _move(intent, [Row.CAPTURED], Row.REFUNDED)
                _announce(intent, EventKind.REFUNDED)

    def status(self, intent: PaymentIntent) -> Status:
        state = _state(intent)
        return Status(View.UNKNOWN) if state is None else Status(View(state), reference_of(intent))

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> ParsedEvent:
        """No time limit on a signature: an event that comes again has its id, and so no effect."""
        given = headers.get(SIGNATURE_HEADER, "")
        if not hmac.compare_digest(given.encode(), sign(body).encode()):
            raise BadSignature("The signature of this event is missing or wrong.")
        try:
            payload = json.loads(body)
            if not all(is_short_text(payload[name]) for name in ("id", "reference")):
                raise ValueError("its id and reference are texts of at most 100 characters")
            if "\\u0000" in body.decode():
                raise ValueError("it holds a NUL")
            kind = payload["type"].removeprefix("payment.")
            return ParsedEvent(
                event_id=payload["id"],
                kind=EventKind(kind) if kind in list(EventKind) else EventKind.OTHER,
                reference=payload["reference"],
                intent_id=UUID(payload["intent"]),
                payload=payload,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadSignature(f"This is signed, and not an event: {error}.") from error


def is_short_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


def sign(body: bytes) -> str:
    """HMAC-SHA256 of the body with DEMO_GATEWAY_SECRET, in hexadecimal."""
    return hmac.new(settings.DEMO_GATEWAY_SECRET.encode(), body, hashlib.sha256).hexdigest()


def reference_of(intent: PaymentIntent) -> str:
    """The provider's id follows from ours, so a repeated call meets the first one's row."""
    return f"demo_{intent.pk.hex}"


def deliver_due(*, send: Callable[[bytes, Mapping[str, str]], object]) -> int:
    """Send the events that are due; what `send` raises keeps that event for the next run.

    The bank of a late card decides at this moment. An event is forgotten after it was taken: a crash in
    between sends it again, as real providers do.
    """
    due = list(
        DemoDelivery.objects.filter(deliver_at__lte=Now()).order_by("deliver_at")[:DELIVERIES]
    )
    for delivery in due:
        if _is_still_true(delivery.payload):
            body = json.dumps(delivery.payload).encode()
            send(body, {SIGNATURE_HEADER: sign(body)})
        delivery.delete()
    return len(due)


def _is_still_true(payload: Mapping[str, Any]) -> bool:
    """A late bank says yes now, unless the payment was cancelled while it thought."""
    if payload["type"] != "payment.authorised":
        return True
    rows = DemoAuthorisation.objects.filter(reference=payload["reference"])
    rows.filter(state=Row.PENDING).update(state=Row.AUTHORISED)
    return not (payload["late"] and rows.filter(state=Row.CANCELLED).exists())


def _announce(intent: PaymentIntent, kind: EventKind, *, times: int = 1, after: float = 0) -> None:
    """Queue an event, `times` under one id, `after` seconds from now."""
    payload = {
        "id": f"evt_{uuid4().hex}",
        "type": f"payment.{kind}",
        "intent": str(intent.pk),
        "reference": reference_of(intent),
        "amount": str(intent.amount),
        "currency": intent.currency,
        "late": after > 0,
        "created": timezone.now().isoformat(),
    }
    DemoDelivery.objects.bulk_create(
        DemoDelivery(payload=payload, deliver_at=timezone.now() + timedelta(seconds=after))
        for _ in range(times)
    )


def _move(intent: PaymentIntent, states: list[Row], to: Row) -> bool:
    rows = DemoAuthorisation.objects.filter(reference=reference_of(intent), state__in=states)
    return bool(rows.update(state=to))


def _state(intent: PaymentIntent) -> str | None:
    rows = DemoAuthorisation.objects.filter(reference=reference_of(intent))
    return rows.values_list("state", flat=True).first()
