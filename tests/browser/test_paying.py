"""What is shown to pay, in a real browser: our own script for Stripe, whose script is a stand-in, and axe's rules.

No shop runs here: the page was rendered before, and what it sends is caught.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django import Settings

from shop.gateways import demo
from shop.models import DemoAuthorisation, Order, PaymentIntent
from tests.browser.conftest import running_browser
from tests.browser.steps import PATIENCE_MS
from tests.browser.test_accessibility import LOOKS, complaints_of_axe
from tests.shop.ordering import make_order
from tests.shop.stripe_fixture import SETTINGS

pytestmark = [pytest.mark.django_db, pytest.mark.browser]

SHOP, SCRIPT = "http://shop.test", "https://js.stripe.com/v3/"
QUESTION = {
    "type": "stripe",
    "client_secret": "pi_1_secret_2",
    "publishable_key": "pk_test_12345",
    "script": SCRIPT,
}
#: What `Stripe` answers is in `window.answers`, and what it was asked in `window.asked`.
STAND_IN = """
window.asked = [];
window.Stripe = (key) => ({
  elements: () => ({
    create: (kind, options) => ({ mount: (place) => place.append("the card field") }),
  }),
  createPaymentMethod: async (data) => {
    window.asked.push([key, data.type]);
    return window.answers.shift();
  },
  handleNextAction: async (data) => {
    window.asked.push([key, data.clientSecret]);
    return window.answers.shift();
  },
});
"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with running_browser(chromium) as browser:
        yield browser


@pytest.fixture(autouse=True)
def stripe_is_on(settings: Settings) -> None:
    for name, value in (SETTINGS | {"PAYMENT_GATEWAYS": ["stripe", "demo"]}).items():
        setattr(settings, name, value)


@dataclass
class Shown:
    page: Page
    sent: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def show(
    browser: Browser, order: Order, *answers: dict[str, Any], url: str = "", **options: Any
) -> Shown:
    """The order's page, or another of its shopper's, as the shop has rendered it."""
    url = url or order.get_absolute_url()
    client = Client()
    assert order.user is not None
    client.force_login(order.user)
    rendered = client.get(url)
    policy = rendered["Content-Security-Policy"]
    policy = policy.replace("script-src 'self'", "script-src 'self' https://js.stripe.com")
    context = browser.new_context(**{"viewport": {"width": 390, "height": 844}} | options)
    context.set_default_timeout(PATIENCE_MS)
    shown = Shown(context.new_page())
    shown.page.add_init_script(f"window.answers = {json.dumps(answers)}")
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SHOP)
        if route.request.url == SCRIPT:
            route.fulfill(body=STAND_IN, content_type="text/javascript")
        elif route.request.method == "POST":
            data = parse_qs(route.request.post_data or "")
            shown.sent.append({name: value for name, (value,) in data.items()})
            route.fulfill(body="<h1>Paid</h1>", content_type="text/html")
        elif path.startswith("/static/"):
            route.fulfill(path=Path(django_settings.BASE_DIR) / path[1:])
        elif path == url:
            headers = {"Content-Security-Policy": policy}
            route.fulfill(body=rendered.content, headers=headers, content_type="text/html")
        else:
            route.fulfill(body=f"<h1>{path}</h1>", content_type="text/html")

    shown.page.route("**/*", answer)
    shown.page.goto(SHOP + url)
    return shown


def pay(shown: Shown) -> None:
    shown.page.get_by_role("button", name="Pay €100.00").click()


def test_a_card_becomes_an_id_and_the_id_alone_is_sent_once(browser: Browser) -> None:
    shown = show(browser, make_order(), {"paymentMethod": {"id": "pm_123"}})
    expect(shown.page.get_by_text("the card field")).to_be_visible()
    expect(shown.page.get_by_text("How the bank answers")).to_be_hidden()
    shown.page.get_by_role("button", name="Pay €100.00").dblclick()
    expect(shown.page.get_by_role("heading", name="Paid")).to_be_visible()
    (sent,) = shown.sent
    assert (sent["method"], sent["payment_method"]) == ("stripe", "pm_123")
    assert shown.complaints == []
    shown.page.context.close()


def test_a_card_that_stripe_does_not_take_is_told_in_place_and_typed_again(
    browser: Browser,
) -> None:
    wrong = {"error": {"message": "Your card number is incomplete."}}
    shown = show(browser, make_order(), wrong, {"paymentMethod": {"id": "pm_123"}})
    expect(shown.page.get_by_text("the card field")).to_be_visible()
    pay(shown)
    expect(shown.page.get_by_role("alert")).to_have_text("Your card number is incomplete.")
    assert shown.sent == []
    pay(shown)
    expect(shown.page.get_by_role("heading", name="Paid")).to_be_visible()
    assert len(shown.sent) == 1
    shown.page.context.close()


def test_another_way_to_pay_asks_stripe_nothing(browser: Browser) -> None:
    shown = show(browser, make_order())
    shown.page.get_by_label("Demonstration card").check()
    shown.page.get_by_label("Approve it at once").check()
    pay(shown)
    expect(shown.page.get_by_role("heading", name="Paid")).to_be_visible()
    (sent,) = shown.sent
    assert (sent["method"], sent["card"]) == ("demo", "approve")
    assert "payment_method" not in sent
    shown.page.context.close()


def test_without_javascript_the_page_says_what_is_needed_and_the_other_way_stays(
    browser: Browser,
) -> None:
    shown = show(browser, make_order(), java_script_enabled=False)
    expect(shown.page.locator("noscript p")).to_contain_text("Paying by card needs JavaScript")
    expect(shown.page.locator("noscript p")).to_be_visible()
    shown.page.get_by_label("Demonstration card").check()
    shown.page.get_by_label("Approve it at once").check()
    pay(shown)
    assert shown.sent[0]["method"] == "demo"
    shown.page.context.close()


def waiting(order: Order, action: dict[str, str], *, gateway: str = "stripe") -> PaymentIntent:
    """The order's payment waits for its shopper."""
    intent: PaymentIntent = order.payment_intents.create(
        gateway=gateway,
        method={"method": gateway, "card": "second_step", "payment_method": "pm_123"},
        amount=order.total,
        currency="EUR",
        action=action,
    )
    return intent


def test_the_banks_question_is_asked_by_stripes_script_and_leads_back(browser: Browser) -> None:
    order = make_order()
    intent = waiting(order, QUESTION)
    shown = show(browser, order, {"paymentIntent": {"id": "pi_1"}})
    shown.page.get_by_role("button", name="Confirm at your bank").click()
    expect(shown.page.get_by_role("heading", name=f"/payments/{intent.pk}/return/")).to_be_visible()
    assert shown.complaints == []
    shown.page.context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_what_is_shown_to_pay(browser: Browser, look: str) -> None:
    order, at_the_bank, asked = make_order(), make_order(), make_order()
    intent = waiting(at_the_bank, {"type": "redirect", "url": "/bank/"}, gateway="demo")
    waiting(asked, QUESTION)
    DemoAuthorisation.objects.create(
        reference=demo.reference_of(intent), amount=intent.amount, currency="EUR", state="pending"
    )
    pages = [
        show(browser, order, **LOOKS[look]),
        show(browser, at_the_bank, **LOOKS[look]),
        show(browser, asked, **LOOKS[look]),
        show(browser, at_the_bank, url=f"/payments/{intent.pk}/bank/", **LOOKS[look]),
    ]
    for shown in pages:
        assert complaints_of_axe(shown.page) == []
    first = pages[0].page
    first.get_by_label("Demonstration card").check()
    first.get_by_text("More that can go wrong").click()
    assert complaints_of_axe(first) == []
    for shown in pages:
        shown.page.context.close()
