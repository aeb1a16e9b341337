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

from django import forms
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from shop.gateways.protocol import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadMethod,
    BadSignature,
    Declined,
    EventKind,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    ParsedEvent,
    Pending,
    Prepared,
    Status,
    View,
)
from shop.models import DemoAuthorisation, DemoDelivery, PaymentIntent

SIGNATURE_HEADER = "Demo-Signature"
#: Seconds until the bank of a `late` card answers: long enough to see, short enough to wait for.
LATE_SECONDS = 8
#: Seconds by which an `out_of_order` authorisation is told after its capture.
LAGGING_SECONDS = 4
#: How often the event about a `duplicate` card is sent.
DUPLICATES = 3
#: Events sent in one run of the beat task.
DELIVERIES = 200
DECLINE_REASON = gettext_noop("The bank declined this card.")

Row = DemoAuthorisation.State


class Card(StrEnum):
    """How the demonstration bank behaves; the order is that of the checkout."""

    APPROVE = "approve"
    SECOND_STEP = "second_step"
    DECLINE = "decline"
    LATE = "late"
    LATE_DECLINE = "late_decline"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    SILENT = "silent"
    LOST = "lost"
    CAPTURE_SILENT = "capture_silent"
    CAPTURE_REFUSED = "capture_refused"


CARDS = {
    Card.APPROVE: _("Approve it at once"),
    Card.SECOND_STEP: _("Ask you to confirm it on the bank's page"),
    Card.DECLINE: _("Decline it"),
    Card.LATE: _("Take a few seconds, then approve it"),
    Card.LATE_DECLINE: _("Take a few seconds, then decline it"),
    Card.DUPLICATE: _("Approve it, and tell us three times"),
    Card.OUT_OF_ORDER: _("Approve it, and tell us in the wrong order"),
    Card.SILENT: _("Approve it, and lose the answer"),
    Card.LOST: _("Never hear of it (we find out after a minute)"),
    Card.CAPTURE_SILENT: _("Approve it, pay, and lose the answer to that"),
    Card.CAPTURE_REFUSED: _("Approve it, and then refuse to pay"),
}
#: What the bank has in its book at once; the others are authorised.
FIRST_ANSWERS = {
    Card.DECLINE: Row.DECLINED,
    Card.SECOND_STEP: Row.PENDING,
    Card.LATE: Row.PENDING,
    Card.LATE_DECLINE: Row.PENDING,
}
SLOW = (Card.LATE, Card.LATE_DECLINE)


class DemoGateway:
    """The provider's side of the protocol. Each method is one transaction on the provider's own book."""

    title = gettext_noop("Demonstration card")

    def form_fields(self) -> dict[str, forms.Field]:
        return {
            "card": forms.ChoiceField(
                label=_("How the bank answers"),
                choices=[*CARDS.items()],
                initial=Card.APPROVE,
                required=False,
                widget=forms.RadioSelect,
                error_messages={"invalid_choice": _("Choose one of the cards.")},
            )
        }

    def read_method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        if method.get("card") not in list(Card):
            raise BadMethod(f"The demo card is one of: {', '.join(Card)}.")
        return {"method": "demo", "card": method["card"]}

    def prepare(self, intent: PaymentIntent) -> Prepared:
        return Prepared(reference_of(intent))

    def authorise(self, intent: PaymentIntent) -> Authorised | Declined | Pending | ActionRequired:
        card = Card(intent.method["card"])
        if card is Card.LOST:
            raise GatewayUnavailable("The question got lost on its way to the bank.")
        with transaction.atomic():
            row, is_new = DemoAuthorisation.objects.get_or_create(
                reference=reference_of(intent),
                defaults={
                    "amount": intent.amount,
                    "currency": intent.currency,
                    "state": FIRST_ANSWERS.get(card, Row.AUTHORISED),
                },
            )
            if is_new:
                _announce_first(intent, card)
        if card is Card.SILENT:
            raise GatewayUnavailable("The bank's answer got lost on its way to us.")
        match row.state:
            case Row.PENDING if card is Card.SECOND_STEP:
                return ActionRequired(row.reference, action_of(intent))
            case Row.PENDING:
                return Pending(row.reference)
            case Row.DECLINED:
                return Declined(DECLINE_REASON)
            case Row.CANCELLED:
                return Declined(gettext_noop("This payment was cancelled."))
            case _:
                return Authorised(row.reference, Money(row.amount, row.currency))

    def capture(self, intent: PaymentIntent) -> Money | None:
        card = Card(intent.method["card"])
        is_refused = card is Card.CAPTURE_REFUSED
        with transaction.atomic():
            is_new = _move(intent, [Row.AUTHORISED], Row.CANCELLED if is_refused else Row.CAPTURED)
            if is_new:
                _announce(intent, EventKind.CANCELLED if is_refused else EventKind.CAPTURED)
        if is_new and card is Card.CAPTURE_SILENT:
            raise GatewayUnavailable("The bank has paid, and its answer got lost.")
        state = _state(intent)
        if state not in (Row.CAPTURED, Row.REFUNDED):
            raise GatewayRefused(f"A payment that is {state or 'unknown'} cannot be captured.")
        return _money(intent)

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
            left = row.amount - _given_back(row)
            if amount > left:
                raise GatewayRefused(f"{amount} is more than the {left} that can be given back.")
            row.refunds.create(key=key, amount=amount)
            if amount == left:
                _move(intent, [Row.CAPTURED], Row.REFUNDED)
                _announce(intent, EventKind.REFUNDED)

    def status(self, intent: PaymentIntent) -> Status:
        state = _state(intent)
        if state is None:
            return Status(View.UNKNOWN)
        asks = state == Row.PENDING and intent.method["card"] == Card.SECOND_STEP
        action = action_of(intent) if asks else None
        given_back = _given_back(DemoAuthorisation.objects.get(reference=reference_of(intent)))
        return Status(View(state), reference_of(intent), action, _money(intent), given_back)

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


def action_of(intent: PaymentIntent) -> dict[str, str]:
    """The bank's page for a second step."""
    return {"type": "redirect", "url": reverse("shop:demo-bank", args=[intent.pk])}


def decide(intent: PaymentIntent, *, approves: bool) -> bool:
    """What the shopper says on the bank's page. False when the bank does not wait for it (any more)."""
    with transaction.atomic():
        if not _move(intent, [Row.PENDING], Row.AUTHORISED if approves else Row.DECLINED):
            return False
        _announce(intent, EventKind.AUTHORISED if approves else EventKind.DECLINED)
        return True


def waits_for_shopper(intent: PaymentIntent) -> bool:
    return _state(intent) == Row.PENDING


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
    """A late bank decides now, unless the payment was cancelled while it thought."""
    if not payload["late"]:
        return True
    says = Row.DECLINED if payload["type"] == "payment.declined" else Row.AUTHORISED
    rows = DemoAuthorisation.objects.filter(reference=payload["reference"])
    rows.filter(state=Row.PENDING).update(state=says)
    return not rows.filter(state=Row.CANCELLED).exists()


def _announce_first(intent: PaymentIntent, card: Card) -> None:
    if card in (Card.SECOND_STEP, Card.SILENT):
        return
    says_no = card in (Card.DECLINE, Card.LATE_DECLINE)
    after = LATE_SECONDS if card in SLOW else 0
    _announce(
        intent,
        EventKind.DECLINED if says_no else EventKind.AUTHORISED,
        times=DUPLICATES if card is Card.DUPLICATE else 1,
        after=LAGGING_SECONDS if card is Card.OUT_OF_ORDER else after,
    )


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


def _money(intent: PaymentIntent) -> Money:
    row = DemoAuthorisation.objects.get(reference=reference_of(intent))
    return Money(row.amount, row.currency)


def _given_back(row: DemoAuthorisation) -> Decimal:
    return row.refunds.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def _state(intent: PaymentIntent) -> str | None:
    rows = DemoAuthorisation.objects.filter(reference=reference_of(intent))
    return rows.values_list("state", flat=True).first()
