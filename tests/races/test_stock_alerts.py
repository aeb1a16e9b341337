"""Runs that offer the same units at once, an offer that is ordered while it is declined; with controls."""

from functools import partial
from io import StringIO
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import IntegrityError

from inventory import reservations, stock
from inventory.models import Stock
from shop import checkout, stock_alerts
from shop.checkout import HoldEnded, Placed
from shop.models import Order, OutgoingMail, StockAlert, StockOffer, Variant
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import ADDRESS

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


def make_waiting(people: int) -> tuple[Variant, list[UUID]]:
    """A variant that nobody can have, and who waits for it, the first first."""
    variant = make_variant(units=0)
    alerts = []
    for _ in range(people):
        outcome = stock_alerts.ask(variant=variant, email="", user=make_user())
        assert isinstance(outcome, stock_alerts.Asked)
        alerts.append(outcome.alert.pk)
    return variant, alerts


def run() -> int:
    return stock_alerts.offer_what_came_in()


def test_runs_at_the_same_time_ask_each_person_once_and_the_first_first() -> None:
    for _ in range(ROUNDS):
        variant, alerts = make_waiting(5)
        stock.receive(sku=variant.sku, quantity=3)
        at_once(run, run, run)
        run()
        offers = StockOffer.objects.filter(alert__variant=variant)
        assert set(offers.values_list("alert", flat=True)) == set(alerts[:3])
        assert Stock.objects.get(sku=variant.sku).allocated == 3
    assert OutgoingMail.objects.filter(template="stock_offer").count() == 3 * ROUNDS
    call_command("audit", stdout=StringIO())


def test_without_the_turn_two_runs_pick_the_same_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the table refuses the second offer, and its run fails."""
    both_chose = Barrier(2)
    choose = stock_alerts._next

    def meet(variant: Variant, arrival: int) -> StockAlert | None:
        chosen = choose(variant, arrival)
        both_chose.wait(timeout=10)
        return chosen

    monkeypatch.setattr(stock_alerts, "_take_turn", lambda variant: True)
    monkeypatch.setattr(stock_alerts, "_next", meet)
    variant, alerts = make_waiting(2)
    stock.receive(sku=variant.sku, quantity=2)

    def offer() -> Any:
        try:
            return stock_alerts.offer_next(variant)
        except IntegrityError as error:
            return error

    outcomes = at_once(offer, offer)
    assert sum(isinstance(outcome, IntegrityError) for outcome in outcomes) == 1
    assert list(StockOffer.objects.values_list("alert", flat=True)) == alerts[:1]


def test_an_offer_is_ordered_or_let_go_and_never_both() -> None:
    for _ in range(ROUNDS):
        variant, _ = make_waiting(1)
        stock.receive(sku=variant.sku, quantity=1)
        run()
        offer = stock_alerts.find_offer(
            stock_alerts.offer_url(StockOffer.objects.get(alert__variant=variant)).split("/")[-2]
        )
        assert offer is not None
        placed, let_go = at_once(partial(order, offer), partial(stock_alerts.decline, offer))
        reservation = offer.reservation
        reservation.refresh_from_db()
        if isinstance(placed, Placed):
            # Let go after it was ordered: the order's unit must not be gone.
            assert (let_go, reservation.state) == (False, "held")
        else:
            assert isinstance(placed, HoldEnded)
            assert (let_go, reservation.state) == (True, "released")
    call_command("audit", stdout=StringIO())


def test_who_declines_what_was_ordered_a_moment_ago_takes_nothing_from_the_order() -> None:
    variant, _ = make_waiting(1)
    stock.receive(sku=variant.sku, quantity=1)
    run()
    seen_before = StockOffer.objects.select_related(
        "alert__variant__product", "alert__user", "reservation"
    ).get()
    assert isinstance(order(seen_before), Placed)
    assert seen_before.order_id is None  # what the other tab knows
    assert not stock_alerts.decline(seen_before)
    seen_before.reservation.refresh_from_db()
    assert seen_before.reservation.state == "held"
    released = reservations.release(
        reservation_ids=[seen_before.reservation_id], reason="the control: nobody looked again"
    )
    assert released == 1


def order(offer: StockOffer) -> Any:
    return checkout.place_order(
        key=offer.pk,
        user=offer.alert.user,
        email=offer.alert.email,
        address=ADDRESS,
        lines=[stock_alerts.order_line(offer)],
        on_placed=lambda order: stock_alerts.attach_order(offer, order),
    )


def test_orders_of_others_and_offers_never_promise_more_than_there_is() -> None:
    for _ in range(ROUNDS):
        variant, _ = make_waiting(3)
        stock.receive(sku=variant.sku, quantity=2)
        at_once(run, run, partial(buy, variant), partial(buy, variant))
        row = Stock.objects.get(sku=variant.sku)
        assert row.allocated <= row.on_hand == 2
    call_command("audit", stdout=StringIO())
    assert Order.objects.count() <= 2 * ROUNDS


def buy(variant: Variant) -> Any:
    user = make_user()
    return reservations.reserve(
        key=user.shopper_id,
        wants=[reservations.Want(sku=variant.sku, quantity=1)],
        holder=f"test:{user.pk}",
        seconds=60,
    )
