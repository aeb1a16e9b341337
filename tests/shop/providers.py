"""The payment providers of the tests, as their other side sees them. A third gateway joins here (docs/payments.md)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partialmethod
from typing import Any
from uuid import uuid4

import pytest

from shop import gateways
from shop.gateways import Gateway, GatewayUnavailable, Prepared, demo
from shop.models import DemoAuthorisation, DemoRefund, Order, PaymentIntent
from tests.shop.ordering import make_order
from tests.shop.stripe_fixture import StripeServer

#: Calls of the protocol that move money.
MOVES = ("authorise", "capture", "cancel", "refund")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a test does on the provider's side. Money is in hundredths."""

    name: str
    #: A way to pay: `approve`, `decline` or `second_step`.
    method: Callable[[str], dict[str, str]]
    #: The shopper answers at the bank.
    answer: Callable[[PaymentIntent, bool], object]
    #: What the provider took and did not give back, by its own book.
    kept: Callable[[Order], int]
    #: The provider gives an amount back that nobody here asked for, as its own pages let people do.
    give_back: Callable[[PaymentIntent, Decimal], object]
    #: The next call that moves something breaks off, "before" it is done or "after".
    fault: Callable[[str], None]

    @property
    def gateway(self) -> Gateway:
        return gateways.find(self.name)


def demo_kept(order: Order) -> int:
    references = [demo.reference_of(intent) for intent in order.payment_intents.all()]
    took = DemoAuthorisation.objects.filter(
        reference__in=references, state__in=["captured", "refunded"]
    )
    gave = DemoRefund.objects.filter(authorisation__in=took)
    return int(100 * (sum(row.amount for row in took) - sum(row.amount for row in gave)))


def demo_provider(patch: pytest.MonkeyPatch) -> Provider:
    def fault(kind: str) -> None:
        works = {name: getattr(demo.DemoGateway, name) for name in MOVES}

        def call_broken(bank: Gateway, name: str, *args: Any, **more: Any) -> Any:
            for other, work in works.items():
                patch.setattr(demo.DemoGateway, other, work)
            if kind != "before":
                works[name](bank, *args, **more)
            raise GatewayUnavailable("no answer")

        for name in works:
            patch.setattr(demo.DemoGateway, name, partialmethod(call_broken, name))

    return Provider(
        name="demo",
        method=lambda card: {"method": "demo", "card": card},
        answer=lambda intent, approves: demo.decide(intent, approves=approves),
        kept=demo_kept,
        give_back=lambda intent, amount: DemoRefund.objects.create(
            key=uuid4(), authorisation_id=intent.reference, amount=amount
        ),
        fault=fault,
    )


def stripe_provider(server: StripeServer) -> Provider:
    return Provider(
        name="stripe",
        method=lambda card: {"method": "stripe", "payment_method": server.card(card)},
        answer=lambda intent, success: server.authenticate(intent, success=success),
        kept=server.kept,
        give_back=server.give_back,
        fault=server.fault,
    )


def prepared(bank: Provider, card: str = "approve", order: Order | None = None) -> PaymentIntent:
    """An intent that the provider has heard of, as `payments` makes it; its order pays in no other way."""
    order = order or make_order()
    kept = bank.gateway.read_method(bank.method(card))
    intent = order.payment_intents.create(
        gateway=bank.name, method=kept, amount=order.total, currency=order.currency
    )
    outcome = bank.gateway.prepare(intent)
    assert isinstance(outcome, Prepared)
    intent.reference = outcome.reference
    intent.save(update_fields=["reference"])
    return intent
