"""Parts of a running shop are killed, flushed or stopped in the middle of a sale; the rest carries on."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock

import pytest
from django.db import connection, transaction

from flashsale import drain, store
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from flashsale.tasks import drain_purchases
from inventory import reservations
from inventory.models import Reservation, Stock
from shop.models import Order, User
from tests.clicks import claim, click, free_at_the_gate, open_sale, queued
from tests.client import Client
from tests.factories import make_sale, make_user
from tests.faults.proof import Units, proven_units
from tests.shop.ordering import books
from tests.stack import Stack, wait_for

Shoppers = Callable[[], Client]


@pytest.fixture
def shopper(stack: Stack) -> Iterator[Shoppers]:
    """Makes shoppers with accounts of their own."""
    with ExitStack() as clients:
        yield lambda: clients.enter_context(Client(stack.url, email=make_user().email))


@pytest.fixture
def no_beat(stack: Stack) -> Iterator[None]:
    stack.stop("beat")
    yield
    if "beat" not in stack.processes:
        stack.start_beat()


def click_and_ring(sale: SaleInfo, user: User, *, attempt: str) -> Accepted | Refused:
    """What the web server does with a click on Buy."""
    result = click(sale, user, attempt=attempt)
    if isinstance(result, Accepted) and result.ring:
        drain_purchases.delay(sale.id)
    return result


def in_hand(sale: SaleInfo) -> int:
    """Claims that a worker has taken and not acknowledged."""
    groups = store.client().xinfo_groups(key(sale.id, "claims")) if queued(sale) else []
    return sum(int(group["pending"]) for group in groups if group["name"] == drain.GROUP)


def test_a_worker_killed_with_claims_in_hand_loses_none(stack: Stack) -> None:
    """Failure 22. The worker is stopped in the middle of its transaction by a row that we hold."""
    sale, users = open_sale(units=5), [make_user() for _ in range(3)]
    with transaction.atomic():
        Stock.objects.select_for_update().get(pool=sale.scope)
        bought = {claim(sale, user) for user in users}
        drain_purchases.delay(sale.id)
        wait_for(lambda: in_hand(sale) == 3, what="a worker to take the claims", stack=stack)
        stack.stop("worker", signal.SIGKILL)
    assert (Purchase.objects.filter(sale=sale.id).count(), queued(sale)) == (0, 3)
    stack.environment["CLAIM_LEASE_SECONDS"] = "2"
    stack.start_worker("next")
    wait_for(lambda: queued(sale) == 0, what="the next worker to settle them", stack=stack)
    assert set(Purchase.objects.filter(sale=sale.id).values_list("pk", flat=True)) == bought
    assert proven_units(sale) == Units(sold=0, held=3, free=2)
    wait_for(lambda: free_at_the_gate(sale) == 2, what="a true gate", stack=stack)


def test_a_claim_that_nobody_rang_for_is_settled_by_beat(stack: Stack, no_beat: None) -> None:
    """Failure 13. The web server died between the claim and the doorbell."""
    sale = open_sale(units=2)
    known = claim(sale, make_user())
    # The control: without beat it would wait for ever.
    time.sleep(2.5)
    assert (queued(sale), Purchase.objects.filter(pk=known).count()) == (1, 0)
    stack.start_beat()
    wait_for(lambda: queued(sale) == 0, what="beat to find the claim", stack=stack)
    assert Purchase.objects.get(pk=known).refusal == ""
    assert proven_units(sale) == Units(sold=0, held=1, free=1)


def test_the_gate_comes_back_by_itself_after_a_flush(stack: Stack) -> None:
    sale = open_sale(units=5)
    assert isinstance(click_and_ring(sale, make_user(), attempt="one"), Accepted)
    wait_for(lambda: Purchase.objects.filter(sale=sale.id).exists(), what="a purchase", stack=stack)
    store.client().flushdb()
    assert free_at_the_gate(sale) is None
    wait_for(lambda: free_at_the_gate(sale) == 4, what="a true gate", seconds=10, stack=stack)


def test_a_sale_whose_redis_is_flushed_three_times_sells_every_unit_once(stack: Stack) -> None:
    units, crowd = 30, 60
    sale = open_sale(units=units)
    accepted: list[Accepted] = []
    flushes, counting = [5, 15, 25], Lock()

    def shop_around(user: User) -> str:
        """Click until there is an answer that stands, as people do; one attempt is one purchase."""
        try:
            while True:
                result = click_and_ring(sale, user, attempt="one")
                if isinstance(result, Accepted):
                    with counting:
                        accepted.append(result)
                        if flushes and len(accepted) >= flushes[0]:
                            del flushes[0]
                            store.client().flushdb()
                    purchase = settled(result)
                    if purchase is not None:
                        return purchase.refusal or "held"
                else:
                    assert result.reason in (Refusal.SOLD_OUT, Refusal.BUSY)
                    if not Stock.objects.get(pool=sale.scope).available:
                        return "sold_out"
                    time.sleep(0.1)
        finally:
            connection.close()

    def settled(result: Accepted) -> Purchase | None:
        """None when it takes so long that it must have been lost."""
        for _ in range(30):
            purchase = Purchase.objects.filter(pk=result.purchase).first()
            if purchase is not None:
                return purchase
            time.sleep(0.1)
        return None

    users = [make_user() for _ in range(crowd)]
    with ThreadPoolExecutor(6) as pool:
        outcomes = dict(zip(users, pool.map(shop_around, users), strict=True))
    assert not flushes
    assert Counter(outcomes.values()) == {"held": units, "sold_out": crowd - units}
    won = Purchase.objects.filter(sale=sale.id, refusal="", reservation__state="held")
    kept = set(won.values_list("pk", "shopper__shopper_id"))
    assert {who for _, who in kept} == {
        u.shopper_id for u, what in outcomes.items() if what == "held"
    }
    assert proven_units(sale) == Units(sold=0, held=units, free=0)

    # Those who won click on, and one of them lets go: nothing is burnt, and the unit is for sale again.
    store.client().flushdb()
    winners = [user for user, outcome in outcomes.items() if outcome == "held"]
    let_go = Purchase.objects.get(sale=sale.id, shopper=winners.pop(), refusal="")
    reservations.release(reservation_ids=[let_go.pk], reason="let go")
    for user in winners[:5]:
        click_and_ring(sale, user, attempt="one")
        click_and_ring(sale, user, attempt="two")
    wait_for(
        lambda: queued(sale) == 0 and free_at_the_gate(sale) == 1, what="a true gate", stack=stack
    )
    now_held = set(won.values_list("pk", "shopper__shopper_id"))
    assert now_held == kept - {(let_go.pk, let_go.shopper_id)}
    assert proven_units(sale) == Units(sold=0, held=units - 1, free=1)


def test_with_beat_stopped_a_hold_that_ended_is_neither_paid_for_nor_in_the_way(
    stack: Stack, shopper: Shoppers, no_beat: None
) -> None:
    """Failures 9, 11 and 19."""
    sale = make_sale(units=1, hold_seconds=4)
    item, (slow, quick) = sale.items[0].id, (shopper(), shopper())
    dead = slow.buy(sale.slug, item).json()["id"]
    slow.until_state(dead, "held")
    ordered = slow.order(dead, card="late").json()
    assert ordered["payment"]["state"] == "created"
    # The control: while the hold lives it is in the way.
    assert quick.buy(sale.slug, item).json()["code"] == "sold_out"
    slow.until_state(dead, "expired")
    assert Reservation.objects.get(pk=dead).state == "held"
    assert not reservations.confirm(reservation_ids=[dead])
    bought = quick.until(
        lambda: quick.buy(sale.slug, item), lambda answer: answer.status_code == 202
    )
    live = bought.json()["id"]
    quick.until_state(live, "held")
    assert quick.order(live).status_code == 201
    quick.until_state(live, "paid")
    assert Reservation.objects.get(pk=dead).state == "expired"
    assert proven_units(sale) == Units(sold=1, held=0, free=0)

    # Beat is back: the order that came to nothing is closed, and its bank is told before it says yes.
    stack.start_beat()
    late = Order.objects.get(reference=ordered["reference"])
    wait_for(
        lambda: late.payment_intents.get().state == "cancelled", what="no payment", stack=stack
    )
    assert books(late) == {
        "order": "expired",
        "payments": ["cancelled"],
        "units": ["expired"],
        "bank": ["cancelled"],
    }
    assert proven_units(sale) == Units(sold=1, held=0, free=0)
