"""A shopper's way in a real browser, with JavaScript, against others who come over the API."""

import re
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Request, Route, expect

from flashsale.models import Purchase, Sale
from inventory.models import Stock
from shop.models import Order
from tests.browser.conftest import Crowd, OpenPage
from tests.browser.steps import heading, make_shopper_at, pay, sign_in
from tests.factories import make_sale, make_user

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-shopper")]

DRAW_SIZE = 5
PLACE = 4


@pytest.mark.soak
def test_from_the_lobby_to_a_paid_order_against_a_crowd(crowd: Crowd, open_page: OpenPage) -> None:
    """Four units, five shoppers, one inside at a time; the person at the browser is drawn fourth."""
    now = timezone.now()
    sale = make_sale(
        units=PLACE,
        queue_mode=Sale.QueueMode.DRAW,
        admission_cap=1,
        hold_seconds=300,
        lobby_opens_at=now - timedelta(hours=1),
        opens_at=now + timedelta(seconds=9),
    )
    emails = {
        place: make_shopper_at(place, sale=sale, draw_size=DRAW_SIZE).email
        for place in (1, 2, 3, 5)
    }
    others = {place: crowd(email) for place, email in emails.items()}
    tickets = {place: client.join(sale.slug).json()["ticket"] for place, client in others.items()}
    person = make_shopper_at(PLACE, sale=sale, draw_size=DRAW_SIZE)
    page = open_page()
    sale_url, line_url = f"/sales/{sale.slug}/", f"/sales/{sale.slug}/line/"

    page.goto(sale_url)
    page.get_by_role("link", name="Sign in to take part").click()
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill("demo")
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(sale_url)
    page.get_by_role("button", name="Join the draw").click()
    page.wait_for_url(line_url)
    expect(heading(page)).to_have_text("You are in the draw")
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^0:\d\d$"))
    assert timezone.now() < sale.opens_at

    # The page tells the place at the opening, and nobody reloads it.
    expect(page.locator("[data-place-shown]")).to_have_text(str(PLACE))
    expect(heading(page)).to_have_text("You are in line")
    expect(page.locator("[data-ahead]")).to_have_text(re.compile("^[23]$"))
    for place in (1, 2, 3):
        client = others[place]
        entered = client.until(
            partial(client.enter, sale.slug, tickets[place]),
            lambda answer: answer.status_code == 201,
        )
        admission = entered.json()["admission"]
        bought = client.buy(sale.slug, sale.items[0].id, admission=admission)
        client.until_state(bought.json()["id"], "held")

    # The turn comes and the page goes in by itself.
    page.wait_for_url(sale_url)
    expect(page.get_by_role("main")).to_contain_text("You are in.")
    expect(page.get_by_role("main")).to_contain_text("1 of 4 left")
    page.get_by_role("button", name="Buy for €60.00").dblclick()
    page.wait_for_url(re.compile("/purchases/"))
    expect(heading(page)).to_have_text("It is held for you")
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"^4:\d\d$"))
    before = timer.inner_text()
    expect(timer).not_to_have_text(before)

    late = others[5].enter(sale.slug, tickets[5])
    assert late.status_code in (425, 429)
    page.get_by_role("link", name="Go on to payment").click()
    expect(page.get_by_role("main")).to_contain_text("Time left to pay")
    pay(page, total="€64.90")

    purchase = Purchase.objects.get(shopper=person)
    assert purchase.order is not None
    assert (purchase.quantity, purchase.order.state) == (1, Order.State.PAID)
    stock = Stock.objects.get(pool=sale.scope)
    assert (stock.on_hand, stock.allocated) == (4, 4)
    call_command("audit", stdout=StringIO())


def test_a_new_shopper_makes_an_account_on_the_way_and_comes_back_to_the_sale(
    open_page: OpenPage,
) -> None:
    now = timezone.now()
    sale = make_sale(queue_mode=Sale.QueueMode.DRAW, opens_at=now + timedelta(minutes=30))
    page = open_page()
    page.goto("/sales/")
    page.get_by_role("link", name=sale.name).first.click()
    page.get_by_role("link", name="Make an account").first.click()
    page.get_by_label("Email").fill("newcomer@example.com")
    page.get_by_label("Password").fill("a long walk home")
    page.locator("main").get_by_role("button", name="Make an account").click()
    page.wait_for_url(f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Join the draw").click()
    expect(heading(page)).to_have_text("You are in the draw")


def test_a_hold_that_runs_out_is_told_by_the_page_itself(open_page: OpenPage) -> None:
    sale = make_sale(units=1, hold_seconds=6)
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Buy for €60.00").click()
    expect(heading(page)).to_have_text("It is held for you")
    expect(heading(page)).to_have_text("The time was over")
    expect(page.get_by_role("main")).to_contain_text("You were not charged.")


def test_a_second_window_sees_the_purchase_and_is_refused_another(open_page: OpenPage) -> None:
    """The refusal is told in place, with the way to what the shopper has."""
    sale = make_sale(units=5)
    page = open_page(viewport={"width": 1280, "height": 800})
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    second = page.context.new_page()
    second.goto(f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Buy for €60.00").click()
    expect(heading(page)).to_have_text("It is held for you")
    second.get_by_role("button", name="Buy for €60.00").click()
    refusal = second.get_by_role("alert")
    expect(refusal).to_contain_text("You were not charged.")
    expect(refusal).to_contain_text("you have reached it")
    assert second.url.endswith(f"/sales/{sale.slug}/")
    second.get_by_role("link", name="See what you have").click()
    second.wait_for_url(page.url)
    assert Purchase.objects.filter(sale_id=sale.id).count() == 1


def test_buying_goes_over_the_api_and_a_double_click_is_one_purchase(open_page: OpenPage) -> None:
    sale = make_sale(units=5, limit_per_shopper=2)
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    posted: list[str] = []

    def listen(request: Request) -> None:
        if request.method == "POST":
            posted.append(request.url)

    page.on("request", listen)
    page.get_by_role("button", name="Buy for €60.00").dblclick()
    expect(heading(page)).to_have_text("It is held for you")
    assert [url.partition("/api/")[2] for url in posted] == [f"v1/sales/{sale.slug}/purchases/"]
    assert Purchase.objects.filter(sale_id=sale.id).count() == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_an_answer_the_form_is_sent_and_it_stays_one_purchase(
    open_page: OpenPage, when: str
) -> None:
    """The network fails before the call reaches the shop, or its answer is lost on the way back."""
    sale = make_sale(units=5, limit_per_shopper=2)
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    reached: list[int] = []

    def lose(route: Route) -> None:
        if when == "after":
            reached.append(route.fetch().status)
        route.abort()

    page.route("**/api/v1/sales/*/purchases/", lose)
    page.get_by_role("button", name="Buy for €60.00").click()
    expect(heading(page)).to_have_text("It is held for you")
    assert reached == ([202] if when == "after" else [])
    assert Purchase.objects.filter(sale_id=sale.id).count() == 1
    assert Stock.objects.get(pool=sale.scope).allocated == 1


@pytest.mark.parametrize(
    ("answer", "told", "link"),
    [
        ((409, "sold_out", "Every unit is taken."), "Every unit is taken.", "Stay in line"),
        ((409, "not_open", "Come back."), "Come back.", "See how the sale stands now"),
        ((403, "admission_not_valid", "Not live."), "Not live.", "Your time inside is over"),
        ((503, "busy", "Please try again."), "press Buy once more", None),
        ((429, "too_many_requests", "In 9 seconds."), "In 9 seconds.", None),
    ],
)
def test_a_refusal_is_told_in_place_with_what_to_do(
    open_page: OpenPage, answer: tuple[int, str, str], told: str, link: str | None
) -> None:
    sale = make_sale(units=2, queue_mode=Sale.QueueMode.FIRST_COME)
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url(f"/sales/{sale.slug}/")
    status, code, detail = answer
    document = {"status": status, "code": code, "detail": detail}
    page.route(
        "**/api/v1/sales/*/purchases/",
        lambda route: route.fulfill(status=status, json=document),
    )
    button = page.get_by_role("button", name="Buy for €60.00")
    button.click()
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text(told)
    links = [found.inner_text() for found in refusal.get_by_role("link").all()]
    assert any(link in text for text in links) if link else links == []
    expect(button).to_be_focused()
    page.unroute("**/api/v1/sales/*/purchases/")
    button.click()  # and the form can be used again
    expect(heading(page)).to_have_text("It is held for you")
    assert Purchase.objects.filter(sale_id=sale.id).count() == 1


def test_somebody_who_signed_out_elsewhere_is_sent_to_sign_in(open_page: OpenPage) -> None:
    sale = make_sale(units=2)
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/")
    for name in ("sessionid", "shopper"):
        page.context.clear_cookies(name=name)
    page.get_by_role("button", name="Buy for €60.00").click()
    page.wait_for_url("**/accounts/login/**")
    assert not Purchase.objects.filter(sale_id=sale.id).exists()
