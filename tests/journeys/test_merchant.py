"""A merchant's whole way over HTTP, with shoppers who use the pages and nothing else."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.utils import timezone

from flashsale.models import Purchase, Sale
from inventory.models import Stock
from shop import accounts
from shop.models import Order, User
from tests.factories import make_user, make_variant
from tests.journeys.person import Page, Person
from tests.stack import Stack

pytestmark = [pytest.mark.xdist_group("journeys-merchant")]

SECRET = "JBSWY3DPEHPK3PXP"
ADD = "/admin/flashsale/sale/add/"
ADDRESS = {
    "recipient": "Ada Example",
    "street": "1 Sample Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}


@pytest.fixture
def people(stack: Stack) -> Iterator[list[Person]]:
    """A merchant's browser and two shoppers'."""
    with ExitStack() as browsers:
        yield [browsers.enter_context(Person(stack.url)) for _ in range(3)]


def make_merchant() -> User:
    """Somebody of the group, with a second factor, as everybody who works here needs."""
    accounts.ensure_groups()
    merchant = make_user(is_staff=True)
    merchant.groups.add(Group.objects.get(name="Merchants"))
    totp.TOTP.activate(merchant, SECRET)
    return merchant


def code_of_the_app() -> str:
    """What the authenticator shows; not in the last seconds of a code's half minute."""
    if 30 - time.time() % 30 < 5:
        time.sleep(5)
    return str(totp.format_hotp_value(totp.hotp_value(SECRET, int(time.time()) // 30)))


def sign_in(person: Person, email: str, *, to: str) -> Page:
    page = person.visit(f"/accounts/login/?next={to}")
    return person.send(page, "/accounts/login/", login=email, password="demo")


def times(**moments: datetime) -> dict[str, str]:
    """Each time as the admin's two fields have it, in the shop's zone."""
    fields: dict[str, str] = {}
    for name, moment in moments.items():
        local = timezone.localtime(moment)
        fields |= {f"{name}_0": f"{local:%Y-%m-%d}", f"{name}_1": f"{local:%H:%M:%S}"}
    return fields


def figures(page: Page) -> dict[str, str]:
    """The numbers of the sale's page in the back office."""
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', page.html)
    return {name: value for name, value in rows if name in ("Phase", "Sold", "Held", "Free")}


def step(merchant: Person, sale: Sale, label: str) -> Page:
    """Press a button of the sale's page, and mean it on the page that asks."""
    page = merchant.visit(f"/admin/flashsale/sale/{sale.pk}/change/")
    page = merchant.follow(page, label)
    return merchant.send(page, "/confirm/")


def go_in(shopper: Person, sale: Sale) -> Page:
    """Through the line to the sale's page with a Buy button."""
    page = shopper.visit(f"/sales/{sale.slug}/")
    page = shopper.send(page, "/line/join/")
    page = shopper.reload_until(page, lambda page: page.heading == "It is your turn")
    page = shopper.send(page, "/line/enter/")
    assert page.path == f"/sales/{sale.slug}/"
    assert "You are in." in page.text
    return page


def test_from_a_draft_to_a_paid_order_and_the_end_of_the_sale(people: list[Person]) -> None:
    merchant, ada, grace = people
    lamp = make_variant(units=5)

    # The back office wants the password and the second factor.
    page = merchant.visit("/admin/")
    assert page.path == "/accounts/login/"
    page = merchant.send(page, "/accounts/login/", login=make_merchant().email, password="demo")
    assert page.path == "/accounts/2fa/authenticate/"
    page = merchant.visit("/admin/")
    assert page.path == "/accounts/2fa/authenticate/"
    page = merchant.send(page, "/accounts/2fa/authenticate/", code=code_of_the_app())
    assert (page.status, page.path) == (200, "/admin/")

    # A draft; times that run backward are told, and nothing is saved.
    now = timezone.now()
    form: dict[str, Any] = {
        "name": "Evening lamps",
        "slug": "evening-lamps",
        "queue_mode": "first_come",
        "hold_seconds": 300,
        "admission_cap": 5,
        "items-0-variant": lamp.pk,
        "items-0-price": "60.00",
        "items-0-units": 3,
    }
    opened = {
        "lobby_opens_at": now - timedelta(minutes=2),
        "opens_at": now - timedelta(minutes=1),
    }
    page = merchant.visit(ADD)
    page = merchant.send(page, ADD, **form, **times(**opened, closes_at=now - timedelta(minutes=5)))
    assert (page.status, page.path) == (200, ADD)
    assert "The sale would close before it opens" in page.text
    assert "the times run backward" in page.text
    assert not Sale.objects.exists()
    page = merchant.send(page, ADD, **form, **times(**opened, closes_at=now + timedelta(hours=1)))
    assert (page.status, page.path) == (200, "/admin/flashsale/sale/")
    sale = Sale.objects.get()
    assert (sale.name, sale.status) == ("Evening lamps", Sale.Status.DRAFT)
    assert ada.visit("/sales/evening-lamps/").status == 404

    page = step(merchant, sale, "Schedule")
    assert "Evening lamps was scheduled." in page.text
    assert figures(page) == {"Phase": "Open", "Sold": "0", "Held": "0", "Free": "3"}
    assert Stock.objects.get(sku=lamp.sku, pool="main").on_hand == 2

    # A shopper makes an account, stands in line, buys and pays, by pages alone.
    page = ada.visit("/accounts/signup/?next=/sales/evening-lamps/")
    page = ada.send(
        page, "/accounts/signup/", email="ada.lamp@example.com", password1="a long walk home"
    )
    assert page.path == "/sales/evening-lamps/"
    page = go_in(ada, sale)
    page = ada.send(page, "/buy/")
    assert page.path.startswith("/purchases/")
    page = ada.reload_until(page, lambda page: page.heading == "It is held for you")
    looked = merchant.visit(f"/admin/flashsale/sale/{sale.pk}/change/")
    assert figures(looked) == {"Phase": "Open", "Sold": "0", "Held": "1", "Free": "2"}
    page = ada.follow(page, "Go on to payment")
    wrong = ada.send(page, "/checkout/", **ADDRESS | {"postcode": ""})
    assert wrong.status == 422
    assert not Order.objects.exists()
    page = ada.send(wrong, "/checkout/", **ADDRESS, card="approve", terms="on")
    assert page.path.startswith("/orders/")
    page = ada.reload_until(page, lambda page: page.heading == "It is yours")
    order = Order.objects.get()
    assert (order.state, str(order.total)) == (Order.State.PAID, "64.90")
    assert order.reference in page.text
    assert order.payment_intents.get().state == "captured"
    looked = merchant.visit(f"/admin/flashsale/sale/{sale.pk}/change/")
    assert figures(looked) == {"Phase": "Open", "Sold": "1", "Held": "0", "Free": "2"}

    # A pause stops buying and lets everybody inside out, and takes no place in line away.
    sign_in(grace, make_user().email, to="/sales/evening-lamps/")
    ready_to_buy = go_in(grace, sale)
    page = step(merchant, sale, "Pause")
    assert "Evening lamps was paused." in page.text
    page = grace.send(ready_to_buy, "/buy/")
    assert (page.status, page.heading) == (409, "The sale is not open")
    assert "Paused" in grace.visit("/sales/evening-lamps/").text
    page = step(merchant, sale, "Resume")
    assert figures(page) == {"Phase": "Open", "Sold": "1", "Held": "0", "Free": "2"}
    page = grace.send(ready_to_buy, "/buy/")
    assert page.path == "/sales/evening-lamps/line/"
    assert "You keep your place in line." in page.text
    page = grace.reload_until(page, lambda page: page.heading == "It is your turn")
    page = grace.send(page, "/line/enter/")
    page = grace.send(page, "/buy/")
    page = grace.reload_until(page, lambda page: page.heading == "It is held for you")
    held = page.path

    # The end: what is held may be paid or let go, and nothing else is sold.
    page = step(merchant, sale, "End now")
    assert figures(page)["Phase"] == "Ended"
    page = ada.visit("/sales/evening-lamps/")
    assert "This sale has ended." in page.text
    assert [form.action for form in page.forms if "buy" in form.action] == []
    page = grace.follow(grace.visit(held), "Let it go")
    page = grace.send(page, "/release/")
    assert page.heading == "You let it go"
    assert Purchase.objects.filter(sale=sale).count() == 2
    call_command("audit", stdout=StringIO())
    books = Stock.objects.filter(sku=lamp.sku)
    assert sum(row.on_hand for row in books) == 5
    assert sum(row.allocated for row in books) == 1


def test_who_does_not_work_here_stays_outside_the_back_office(people: list[Person]) -> None:
    page = sign_in(people[1], make_user().email, to="/admin/")
    assert page.path != "/admin/"
    page = people[1].visit(ADD)
    assert "Scheduled" not in page.text
    assert not page.path.startswith("/admin/flashsale/")
