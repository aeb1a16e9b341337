"""A shopper's whole way over the JSON API, with the web server, the worker and beat running."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from flashsale.models import Sale
from inventory.models import Stock
from shop.models import Order
from tests.client import Client
from tests.factories import make_sale, make_user
from tests.stack import Stack, both_ways, wait_for

pytestmark = [both_ways()]

Shoppers = Callable[[], Client]


@pytest.fixture
def shopper(stack: Stack) -> Iterator[Shoppers]:
    """Makes shoppers with accounts of their own."""
    with ExitStack() as clients:
        yield lambda: clients.enter_context(Client(stack.url, email=make_user().email))


def test_from_the_lobby_to_a_paid_order(shopper: Shoppers) -> None:
    now = timezone.now()
    sale = make_sale(
        units=2,
        queue_mode=Sale.QueueMode.DRAW,
        lobby_opens_at=now - timedelta(hours=1),
        opens_at=now + timedelta(seconds=4),
    )
    client = shopper()
    joined = client.join(sale.slug)
    assert joined.status_code == 201
    ticket = joined.json()["ticket"]
    assert joined.json()["place"] is None
    early = client.enter(sale.slug, ticket)
    assert (early.status_code, early.json()["code"]) == (409, "not_open")
    document = client.until(
        lambda: client.line(sale.slug), lambda document: document["draw_size"] is not None
    )
    assert (document["phase"], document["draw_size"]) == ("open", 1)
    again = client.join(sale.slug)
    assert (again.status_code, again.json()["place"]) == (200, 1)
    entered = client.until(
        lambda: client.enter(sale.slug, ticket), lambda answer: answer.status_code == 201
    )
    bought = client.buy(sale.slug, sale.items[0].id, admission=entered.json()["admission"])
    assert (bought.status_code, bought.json()["state"]) == (202, "queued")
    held = client.until_state(bought.json()["id"], "held")
    assert held["checkout_url"] == f"/purchases/{held['id']}/checkout/"
    ordered = client.order(held["id"])
    assert ordered.status_code == 201
    reference = ordered.json()["reference"]
    paid = client.until_state(held["id"], "paid")
    assert paid["order"] == reference
    order = client.until(
        lambda: client.http.get(f"orders/{reference}/").json(),
        lambda order: order["state"] == "paid",
    )
    assert (order["total"], order["currency"]) == ("64.90", "EUR")
    stranger = shopper()
    assert stranger.http.get(f"orders/{reference}/").status_code == 404
    assert stranger.http.get(f"purchases/{held['id']}/").status_code == 404
    call_command("audit", stdout=StringIO())


def test_a_hold_that_is_not_paid_goes_to_the_next_in_line(shopper: Shoppers) -> None:
    sale = make_sale(units=1, queue_mode=Sale.QueueMode.FIRST_COME, hold_seconds=4)
    first, second = shopper(), shopper()
    tickets = [client.join(sale.slug).json()["ticket"] for client in (first, second)]
    entered = first.until(
        lambda: first.enter(sale.slug, tickets[0]), lambda answer: answer.status_code == 201
    )
    bought = first.buy(sale.slug, sale.items[0].id, admission=entered.json()["admission"])
    first.until_state(bought.json()["id"], "held")
    waits = second.enter(sale.slug, tickets[1])
    assert waits.status_code in (425, 429)
    assert int(waits.headers["Retry-After"]) >= 1
    entered = second.until(
        lambda: second.enter(sale.slug, tickets[1]), lambda answer: answer.status_code == 201
    )
    assert first.purchase(bought.json()["id"])["state"] == "expired"
    got = second.buy(sale.slug, sale.items[0].id, admission=entered.json()["admission"])
    assert second.until_state(got.json()["id"], "held")["state"] == "held"
    assert Stock.objects.get(pool=sale.scope).allocated == 1


def test_a_double_click_is_one_purchase_and_a_second_try_is_told_the_limit(
    shopper: Shoppers,
) -> None:
    sale = make_sale(units=5)
    client = shopper()
    item = sale.items[0].id
    first, again = (client.buy(sale.slug, item, key="one") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = client.buy(sale.slug, item, key="two")
    assert (other.status_code, other.json()["code"]) == (409, "limit_reached")
    assert other.json()["purchase"] == first.json()["id"]
    client.until_state(first.json()["id"], "held")
    assert Stock.objects.get(pool=sale.scope).allocated == 1


def test_letting_go_lets_the_same_shopper_and_others_buy_again(shopper: Shoppers) -> None:
    sale = make_sale(units=1)
    client, other = shopper(), shopper()
    item = sale.items[0].id
    bought = client.buy(sale.slug, item).json()["id"]
    client.until_state(bought, "held")
    assert other.buy(sale.slug, item).json()["code"] == "sold_out"
    released = client.http.delete(f"purchases/{bought}/")
    assert (released.status_code, released.json()["state"]) == (200, "released")
    once_more = client.until(
        lambda: client.buy(sale.slug, item), lambda answer: answer.status_code == 202
    )
    client.until_state(once_more.json()["id"], "held")


@pytest.mark.parametrize(
    ("card", "states"),
    [("approve", ["paid"]), ("duplicate", ["paid"]), ("late", ["paid"])],
)
def test_each_card_that_pays_ends_in_one_paid_order(
    shopper: Shoppers, card: str, states: list[str]
) -> None:
    sale = make_sale(units=1)
    client = shopper()
    bought = client.buy(sale.slug, sale.items[0].id).json()["id"]
    client.until_state(bought, "held")
    assert client.order(bought, card=card).status_code == 201
    reference = client.until_state(bought, *states, seconds=40)["order"]
    order = client.until(
        lambda: Order.objects.get(reference=reference), lambda order: order.state == "paid"
    )
    assert order.payment_intents.filter(state="captured").count() == 1


def test_a_declined_card_keeps_the_hold_and_another_card_pays(shopper: Shoppers) -> None:
    sale = make_sale(units=1)
    client = shopper()
    bought = client.buy(sale.slug, sale.items[0].id).json()["id"]
    client.until_state(bought, "held")
    declined = client.order(bought, card="decline")
    assert (declined.status_code, declined.json()["payment"]["state"]) == (201, "declined")
    assert client.purchase(bought)["state"] == "ordered"
    again = client.order(bought, card="approve")
    assert again.json()["reference"] == declined.json()["reference"]
    client.until_state(bought, "paid")


def test_claims_that_come_while_no_worker_runs_are_settled_by_the_next_one(
    stack: Stack, shopper: Shoppers
) -> None:
    sale = make_sale(units=3)
    clients = [shopper() for _ in range(3)]
    stack.stop("worker")
    bought = [client.buy(sale.slug, sale.items[0].id).json()["id"] for client in clients]
    assert clients[0].purchase(bought[0])["state"] == "queued"
    stack.start_worker()
    for client, purchase in zip(clients, bought, strict=True):
        client.until_state(purchase, "held")
    wait_for(
        lambda: Stock.objects.get(pool=sale.scope).allocated == 3, what="three holds", stack=stack
    )
