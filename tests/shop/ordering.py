"""What tests of orders and payments share: an order, a provider to be told what to do, and the books."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from inventory import reservations
from inventory.models import Reservation
from shop import checkout, orders, payments
from shop.checkout import AddressData, OrderLine, Placed
from shop.gateways import (
    ActionRequired,
    AlreadyCaptured,
    Authorised,
    BadSignature,
    Declined,
    GatewayRefused,
    GatewayUnavailable,
    ParsedEvent,
    Pending,
    Prepared,
    Status,
    View,
)
from shop.models import DemoAuthorisation, LineItem, Order, PaymentIntent, User, Variant
from tests.factories import make_user, make_variant

ADDRESS = AddressData(
    recipient="Ada Example",
    street="1 Sample Street",
    postcode="10115",
    city="Berlin",
    country="DE",
)


def line(variant: Variant, quantity: int = 1) -> OrderLine:
    return OrderLine(variant=variant, quantity=quantity, unit_price=variant.price)


def make_order(
    *variants: Variant, user: User | None = None, quantity: int = 1, units: int = 3
) -> Order:
    """A pending order over 100.00, delivery free, of a variant of its own or of those given."""
    user = user or make_user()
    placed = checkout.place_order(
        key=uuid4(),
        user=user,
        email=user.email,
        address=ADDRESS,
        lines=[line(variant, quantity) for variant in variants or (make_variant(units=units),)],
    )
    assert isinstance(placed, Placed)
    return placed.order


def paid_order(*variants: Variant, **more: Any) -> Order:
    """An order that was just paid with the demo gateway."""
    order = make_order(*variants, **more)
    payments.start(order=order, method=demo())
    order.refresh_from_db()
    assert order.state == "paid"
    return order


def captured_order(*variants: Variant, **more: Any) -> Order:
    """A paid order by the shop's books alone, for tests in a transaction: no provider was asked."""
    return captured(make_order(*variants, **more))


def captured(order: Order) -> Order:
    """Have a pending order paid, by the shop's books alone."""
    assert reservations.confirm(reservation_ids=orders.reservation_ids(order))
    order.payment_intents.create(
        gateway="demo",
        method=demo(),
        amount=order.total,
        currency=order.currency,
        state=PaymentIntent.State.CAPTURED,
    )
    assert orders.pay(order=order)
    order.refresh_from_db()
    return order


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(*permissions: str) -> Client:
    """Somebody who works here, with exactly these permissions."""
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


def demo(card: str = "approve") -> dict[str, str]:
    return {"method": "demo", "card": card}


def books(order: Order) -> dict[str, Any]:
    """Every book about one order: the shop's, the stockroom's, and the demo provider's."""
    intents = PaymentIntent.objects.filter(order=order).order_by("created_at")
    items = LineItem.objects.filter(order=order).order_by("id")
    references = [f"demo_{intent.pk.hex}" for intent in intents]
    held = DemoAuthorisation.objects.filter(reference__in=references)
    bank = dict(held.values_list("reference", "state"))
    return {
        "order": Order.objects.get(pk=order.pk).state,
        "payments": [intent.state for intent in intents],
        "units": [item.reservation.state for item in items.select_related("reservation")],
        "bank": [bank.get(reference, "unknown") for reference in references],
    }


@dataclass
class FakeGateway:
    """A provider that does as it is told, and remembers what was asked of it."""

    #: What calls answer or raise, by name; without an entry they succeed.
    says: dict[str, Any] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def _answer(self, call: str) -> Any:
        self.calls.append(call)
        answer = self.says.get(call)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    title = "Fake"

    def form_fields(self) -> dict[str, forms.Field]:
        return {}

    def read_method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        return {"method": "fake"}

    def prepare(self, intent: PaymentIntent) -> Prepared:
        return Prepared(f"fake-{intent.pk}")

    def authorise(self, intent: PaymentIntent) -> Authorised | Declined | Pending | ActionRequired:
        answer: Authorised | Declined | Pending | ActionRequired | None = self._answer("authorise")
        reference = f"fake-{intent.pk}"
        self.views.setdefault(str(intent.pk), View.AUTHORISED)
        return answer or Authorised(reference)

    def capture(self, intent: PaymentIntent) -> None:
        self._answer("capture")
        self.views[str(intent.pk)] = View.CAPTURED

    def cancel(self, intent: PaymentIntent) -> None:
        self._answer("cancel")
        if self.views.get(str(intent.pk)) is View.CAPTURED:
            raise AlreadyCaptured("captured")
        self.views[str(intent.pk)] = View.CANCELLED

    def refund(self, intent: PaymentIntent, amount: Decimal, key: UUID) -> None:
        self._answer("refund")
        if amount > intent.amount:
            raise GatewayRefused("too much")
        self.views[str(intent.pk)] = View.REFUNDED

    def status(self, intent: PaymentIntent) -> Status:
        self._answer("status")
        view = self.views.get(str(intent.pk), View.UNKNOWN)
        return Status(view, f"fake-{intent.pk}" if view is not View.UNKNOWN else "")

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> ParsedEvent:
        raise BadSignature("the fake sends no events")


AWAY = GatewayUnavailable("no answer")
FAKE = {"method": "fake"}


def end_the_hold(order: Order) -> None:
    """Its time is over, and nobody has tidied it away yet."""
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(line_item__order=order).update(expires_at=past)
