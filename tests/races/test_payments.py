"""Shoppers pay while the provider fails one call in five, holds end, and several workers tidy up at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations
from inventory.models import Reservation, Stock
from shop import orders, payment_events, payments
from shop.gateways import GatewayUnavailable, demo
from shop.models import (
    DemoAuthorisation,
    DemoDelivery,
    Order,
    PaymentEvent,
    PaymentIntent,
    Refund,
    Variant,
)
from tests.factories import make_user, make_variant
from tests.shop.ordering import demo as card
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS, UNITS = 40, 25
CARDS = ["approve", "approve", "duplicate", "late", "decline"]
CALLS = ["authorise", "capture", "cancel", "refund", "status"]


def fail_one_call_in_five(patch: pytest.MonkeyPatch, random: Random) -> None:
    """Half of the failures come before the provider has done what it was asked, half after."""
    for name in CALLS:
        work = getattr(demo.DemoGateway, name)

        def call(*args: Any, work: Any = work, **named: Any) -> Any:
            fate = random.random()
            if fate < 0.1:
                raise GatewayUnavailable("no answer")
            answer = work(*args, **named)
            if fate > 0.9:
                raise GatewayUnavailable("the answer got lost")
            return answer

        patch.setattr(demo.DemoGateway, name, call)


def let_time_pass() -> None:
    ago = timedelta(minutes=2)
    PaymentIntent.objects.update(updated_at=F("updated_at") - ago, created_at=F("created_at") - ago)
    PaymentEvent.objects.update(received_at=F("received_at") - ago, due_at=F("due_at") - ago)
    Refund.objects.update(due_at=F("due_at") - ago)
    DemoDelivery.objects.update(deliver_at=F("deliver_at") - ago)


def tidy_up() -> None:
    reservations.expire()
    orders.expire_due()
    demo.deliver_due(
        send=lambda body, headers: payment_events.receive(
            gateway="demo", body=body, headers=headers
        )
    )
    payment_events.process_due()
    payments.settle_due()


def shop_and_pay(seed: int, lamp: Variant) -> None:
    random = Random(seed)
    try:
        order = make_order(lamp, user=make_user())
    except AssertionError:
        return  # sold out
    finally:
        connection.close()
    if random.random() < 0.3:
        past = timezone.now() - timedelta(seconds=1)
        Reservation.objects.filter(line_item__order=order).update(expires_at=past)
    payments.start(order=order, method=card(random.choice(CARDS)))
    order.refresh_from_db()
    if random.random() < 0.2:
        (orders.cancel if random.random() < 0.5 else orders.refund)(
            order=order, actor="", reason="test"
        )
    connection.close()


def test_every_book_agrees_after_a_bad_day_of_the_provider(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    lamp, done = make_variant(units=UNITS), threading.Event()

    def work(_: int) -> None:
        while not done.is_set():
            let_time_pass()
            tidy_up()
        connection.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        fail_one_call_in_five(patch, Random(5))
        workers = [pool.submit(work, number) for number in range(2)]
        shoppers = [pool.submit(shop_and_pay, number, lamp) for number in range(ORDERS)]
        try:
            for shopper in shoppers:
                shopper.result(timeout=120)
        finally:
            done.set()
        for worker in workers:
            worker.result(timeout=60)
    # The day is over: every hold ends, the provider is well again.
    Reservation.objects.filter(state="held").update(expires_at=timezone.now())
    for _ in range(4):
        let_time_pass()
        tidy_up()
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}
    states = set(PaymentIntent.objects.values_list("state", flat=True))
    assert states <= {"captured", "declined", "cancelled", "refunded"}
    assert not Order.objects.filter(state="pending").exists()
    paid = Order.objects.filter(state="paid")
    assert 0 < paid.count() < ORDERS
    assert Stock.objects.get(sku=lamp.sku).allocated == paid.count() <= UNITS
    banks = DemoAuthorisation.objects.values_list("state").annotate(Sum("amount"))
    kept: dict[str, Decimal] = dict(banks)
    assert kept["captured"] == paid.aggregate(total=Sum("total"))["total"]
    assert set(kept) <= {"captured", "declined", "cancelled", "refunded"}
    for order in Order.objects.all():
        kinds = list(order.events.values_list("kind", flat=True))
        for once in ("placed", "paid", "expired", "cancelled", "refunded", "payment_returned"):
            assert kinds.count(once) <= 1, (order.reference, kinds)
