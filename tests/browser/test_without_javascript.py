"""The same way without JavaScript: pages that wait look again by themselves, and forms do the rest."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from flashsale.models import Purchase, Sale
from inventory.models import Stock
from shop.models import Order
from tests.browser.conftest import Crowd, OpenPage
from tests.browser.steps import heading, make_shopper_at, pay, sign_in
from tests.factories import make_sale, make_user

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-without-javascript")]


def test_from_the_lobby_to_a_paid_order_without_javascript(
    crowd: Crowd, open_page: OpenPage
) -> None:
    now = timezone.now()
    sale = make_sale(
        units=2,
        queue_mode=Sale.QueueMode.DRAW,
        admission_cap=1,
        hold_seconds=300,
        lobby_opens_at=now - timedelta(hours=1),
        opens_at=now + timedelta(seconds=10),
    )
    first = crowd(make_shopper_at(1, sale=sale, draw_size=2).email)
    ticket = first.join(sale.slug).json()["ticket"]
    person = make_shopper_at(2, sale=sale, draw_size=2)
    page = open_page(java_script_enabled=False)
    sign_in(page, person.email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Join the draw").click()
    expect(heading(page)).to_have_text("You are in the draw")
    first.until(lambda: first.line(sale.slug), lambda document: document["phase"] == "open")
    entered = first.until(
        lambda: first.enter(sale.slug, ticket), lambda answer: answer.status_code == 201
    )

    # Nothing is clicked until the page itself has told the place, and then the turn.
    expect(page.locator("[data-place-shown]")).to_have_text("2")
    bought = first.buy(
        sale.slug, sale.items[0].id, admission=entered.json()["admission"], key="first"
    )
    first.until_state(bought.json()["id"], "held")
    expect(heading(page)).to_have_text("It is your turn")
    page.get_by_role("button", name="Go in").click()
    expect(page).to_have_url(re.compile(rf"/sales/{sale.slug}/$"))
    expect(page.get_by_role("main")).to_contain_text("1 of 2 left")
    page.get_by_role("button", name="Buy for €60.00").dblclick()
    # The second click ends the first one's navigation, which waiting for a navigation takes for a failure.
    expect(page).to_have_url(re.compile("/purchases/"))
    expect(heading(page)).to_have_text("It is held for you")
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"4\sminutes\s+\(\d\d:\d\d:\d\d"))
    page.get_by_role("link", name="Go on to payment").click()
    pay(page, total="€64.90")

    purchase = Purchase.objects.get(shopper=person)
    assert purchase.order is not None
    assert (purchase.quantity, purchase.order.state) == (1, Order.State.PAID)
    assert Stock.objects.get(pool=sale.scope).allocated == 2
    call_command("audit", stdout=StringIO())


def test_a_page_that_is_sent_twice_is_one_purchase(open_page: OpenPage) -> None:
    """Nothing in the browser holds the second one back here: the server must know it."""
    sale = make_sale(units=5, limit_per_shopper=2)
    page = open_page(java_script_enabled=False)
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    form: dict[str, str | float | bool] = {
        field.get_attribute("name") or "": field.input_value()
        for field in page.locator("form[action$='/buy/'] input").all()
    }
    assert set(form) == {"csrfmiddlewaretoken", "item", "attempt", "quantity"}
    answers = [
        page.request.post(f"/sales/{sale.slug}/buy/", form=form, max_redirects=0) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [303, 303]
    first, again = (answer.headers["location"] for answer in answers)
    assert first == again
    page.goto(first)
    expect(heading(page)).to_have_text("It is held for you")
    assert Purchase.objects.filter(sale_id=sale.id).count() == 1
    assert Stock.objects.get(pool=sale.scope).allocated == 1


def test_a_hold_is_let_go_by_a_form(open_page: OpenPage) -> None:
    sale = make_sale(units=1)
    page = open_page(java_script_enabled=False)
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Buy for €60.00").click()
    expect(heading(page)).to_have_text("It is held for you")
    page.get_by_role("link", name="Let it go").click()
    page.get_by_role("main").get_by_role("button").click()
    expect(heading(page)).to_have_text("You let it go")
    assert Stock.objects.get(pool=sale.scope).allocated == 0
