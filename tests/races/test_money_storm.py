"""Many orders are paid at once while one payment in five goes wrong, in every way that the demo gateway knows.

Beat's functions run all the while, several at once, on a clock that runs fast. In the end the provider's own book,
the orders, the units and the mails agree to the cent. `STORM_SEED` repeats a storm.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random, SystemRandom

import pytest
from django.core import mail
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, reservations
from inventory.models import Reservation, Stock
from shop import emails, payments, tasks
from shop.gateways import demo
from shop.gateways.demo import Card
from shop.models import (
    DemoAuthorisation,
    DemoDelivery,
    DemoRefund,
    Order,
    OrderEvent,
    OutgoingMail,
    PaymentEvent,
    PaymentIntent,
    Variant,
)
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import demo as card
from tests.shop.ordering import make_order

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = [name for name in Card if name is not Card.APPROVE]
PATIENCE = 3


def seed_of_this_storm() -> int:
    seed = int(os.environ.get("STORM_SEED") or SystemRandom().randrange(2**32))
    print(f"STORM_SEED={seed}")
    return seed


def let_time_pass() -> None:
    ago = timedelta(minutes=2)
    PaymentIntent.objects.exclude(state__in=["captured", "declined", "cancelled"]).update(
        updated_at=F("updated_at") - ago, created_at=F("created_at") - ago
    )
    PaymentEvent.objects.filter(processed_at=None).update(
        received_at=F("received_at") - ago, due_at=F("due_at") - ago
    )
    DemoDelivery.objects.update(deliver_at=F("deliver_at") - ago)


def beat() -> None:
    reservations.expire()
    tasks.expire_orders()
    tasks.deliver_demo_events()
    tasks.process_payment_events()
    tasks.settle_payments()


def shop_and_pay(number: int, *, seed: int, lamp: Variant) -> None:
    random = Random(f"{seed} {number}")
    order = make_order(lamp, user=make_user())
    name = WRONG[number // 5 % len(WRONG)] if number % 5 == 0 else Card.APPROVE
    outcome = payments.start(order=order, method=card(name))
    if name in (Card.LATE, Card.SILENT, Card.SECOND_STEP) and random.random() < 0.3:
        the_hold_of(order)
    if isinstance(outcome, payments.Started) and outcome.intent.action:
        at_the_bank(order, outcome.intent, random)
    for _ in range(PATIENCE):
        # Whoever was declined takes another card; whoever waits presses once more, and nothing comes of it.
        payments.start(order=Order.objects.get(pk=order.pk), method=card())
    connection.close()


def the_hold_of(order: Order) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(line_item__order=order, state="held").update(expires_at=past)


def at_the_bank(order: Order, intent: PaymentIntent, random: Random) -> None:
    fate = random.random()
    if fate < 0.7:
        demo.decide(intent, approves=fate < 0.5)
        payments.come_back(intent)
    elif fate < 0.85:
        payments.give_up(order=order)


def storm(number: int, seed: int) -> None:
    lamp, done = make_variant(units=number), threading.Event()

    def again_and_again(work: Callable[[], None]) -> None:
        while not done.wait(0.02):  # seconds: shoppers are to have most of the time
            work()
        connection.close()

    with ThreadPoolExecutor(7) as pool:
        workers = [pool.submit(again_and_again, work) for work in (let_time_pass, beat, beat)]
        shop = partial(shop_and_pay, seed=seed, lamp=lamp)
        shoppers = [pool.submit(shop, shopper) for shopper in range(number)]
        try:
            for shopper in shoppers:
                shopper.result()
        finally:
            done.set()
        for worker in workers:
            worker.result()
    # The day is over: every hold ends, and what is left is settled.
    Reservation.objects.filter(state="held").update(expires_at=timezone.now())
    for _ in range(8):
        let_time_pass()
        at_once(beat, beat)


def send_mails() -> Counter[tuple[str, str]]:
    """Send what there is to send, from several workers at once; how many mails each order got of each kind."""
    OutgoingMail.objects.update(due_at=F("due_at") - timedelta(minutes=2))
    while sum(at_once(*[tasks.send_due_mails] * 3)):
        pass
    return Counter((message.to[0], str(message.subject)) for message in mail.outbox)


def check_the_books(lamp_units: int) -> None:
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}
    states = set(PaymentIntent.objects.values_list("state", flat=True))
    assert states <= {"captured", "declined", "cancelled", "refunded"}
    assert not PaymentEvent.objects.filter(processed_at=None).exists()
    paid = Order.objects.filter(state="paid")
    assert not Order.objects.filter(state="pending").exists()
    assert paid.count() > lamp_units * 0.8
    # The provider's own book.
    took = DemoAuthorisation.objects.filter(state__in=["captured", "refunded"])
    gave = DemoRefund.objects.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    kept = (took.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)) - gave
    assert kept == paid.aggregate(total=Sum("total"))["total"]
    assert not DemoAuthorisation.objects.filter(state__in=["pending", "authorised"]).exists()
    # No order without its unit, and no unit without its order.
    assert Stock.objects.get().allocated == paid.count()
    confirmed = Reservation.objects.filter(state="confirmed")
    assert set(confirmed.values_list("line_item__order", flat=True)) == {row.pk for row in paid}


def check_the_mails() -> None:
    sent = send_mails()
    told = OrderEvent.objects.filter(kind__in=emails.MAILS)
    assert sum(sent.values()) == told.count()
    assert max(sent.values()) == 1
    assert max(Counter(told.values_list("order", "kind")).values()) == 1


@pytest.fixture(autouse=True)
def checks(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]


def test_after_a_storm_money_orders_units_and_mails_agree() -> None:
    storm(60, seed_of_this_storm())
    check_the_books(60)
    check_the_mails()


def test_control_a_shop_that_forgets_one_lost_answer_does_not_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payments, "look_up", lambda intent: None)
    order = make_order()
    payments.start(order=order, method=card("silent"))
    the_hold_of(order)
    for _ in range(3):
        let_time_pass()
        tasks.settle_payments()
    assert DemoAuthorisation.objects.get().state == "authorised"
    assert PaymentIntent.objects.get().state == "created"
    with pytest.raises(AssertionError):
        check_the_books(1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_after_a_storm_of_2_000_orders_everything_agrees() -> None:
    storm(2500, seed_of_this_storm())
    check_the_books(2500)
    assert Order.objects.filter(state="paid").count() >= 2000
    check_the_mails()
