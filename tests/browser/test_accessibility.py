"""Pages for everybody: axe's rules on every page of the way, the keyboard alone, and very small screens."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from flashsale import sales
from flashsale.models import Purchase, Sale, SaleItem
from shop import demo_data, orders, refunds
from shop.models import Order, User, Variant
from tests.browser.conftest import OpenPage
from tests.browser.steps import PATIENCE_MS, heading, sign_in
from tests.client import Client
from tests.factories import make_sale, make_user
from tests.shop.ordering import paid_order
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-accessibility")]

LOOKS: dict[str, dict[str, Any]] = {
    "390-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "1280-dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
}
#: Pages that everybody sees, by what is tested; and a shopper's own ones, whose addresses are made below.
PUBLIC = {
    "home": "/",
    "category": "/c/table/",
    "product": "/p/first-light-lamp/",
    "product-of-many-kinds": "/p/tide-mug/",
    "search": "/search/?q=oak",
    "search-that-finds-nothing": "/search/?q=submarine",
    "sales": "/sales/",
    "sale-to-sign-in-for": "/sales/lobby/",
    "draw-to-come": "/sales/lobby/draw/",
    "draw-that-was-made": "/sales/drawn/draw/",
    "line-to-sign-in-for": "/sales/waiting/line/",
    "guest-cart": "/cart/",
    "reviews": "/p/first-light-lamp/reviews/",
    "wishlist": "/wishlist/",
    "wish": "/wishlist/products/tide-mug/",
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "find-order": "/orders/find/",
    "mailbox": "/mailbox/",
    "not-found": "/nowhere/",
}
OWN = (
    "cart",
    "checkout",
    "sale-in-the-lobby",
    "sale-without-a-line",
    "line-in-the-lobby",
    "line-waiting",
    "line-your-turn",
    "line-leaving",
    "draw-with-an-own-place",
    "purchase-held",
    "purchase-checkout",
    "order",
    "order-sent-and-partly-refunded",
    "order-return",
    "account",
    "address",
    "account-alerts",
    "account-reviews",
    "privacy",
    "privacy-delete",
    "review-form",
)


@pytest.fixture(scope="module")
def addresses(stack: Stack) -> dict[str, str]:
    """A furnished shop with sales in every state, and one shopper in the middle of everything."""
    with override_settings(MEDIA_ROOT=Path(stack.environment["MEDIA_ROOT"])):
        demo_data.seed()
    shopper, other = make_user(email="ada@example.com"), make_user()
    now = timezone.now()
    in_an_hour: dict[str, Any] = {
        "opens_at": now + timedelta(hours=1),
        "closes_at": now + timedelta(hours=2),
    }
    lobby = _sell("TIDE-MUG-INDIGO", slug="lobby", queue_mode=Sale.QueueMode.DRAW, **in_an_hour)
    waiting = _sell("TIDE-MUG-OAT", slug="waiting", queue_mode=Sale.QueueMode.FIRST_COME, units=1)
    _sell(
        "TIDE-MUG-EMBER",
        slug="turn",
        queue_mode=Sale.QueueMode.FIRST_COME,
        admission_seconds=3600,
        line_colour="#b0417a",
        line_text="Two to a kiln.",
    )
    _sell("STILL-CARAFE", slug="drawn", queue_mode=Sale.QueueMode.DRAW)
    held, paid, free = (_sell("HARBOUR-BOWLS", slug=slug) for slug in ("held", "paid", "free"))
    sales.end(Sale.objects.get(pk=_sell("NOON-CLOCK", slug="over").id))
    with ExitStack() as clients:
        ada, rival = (
            clients.enter_context(Client(stack.url, email=user.email)) for user in (shopper, other)
        )
        ticket = rival.join("waiting").json()["ticket"]
        entered = rival.until(
            lambda: rival.enter("waiting", ticket), lambda answer: answer.status_code == 201
        )
        item = waiting.items[0].id
        taken = rival.buy("waiting", item, admission=entered.json()["admission"]).json()["id"]
        holding, buying = (
            ada.buy(sale.slug, sale.items[0].id).json()["id"] for sale in (held, paid)
        )
        rival.until_state(taken, "held")
        ada.until_state(holding, "held")
        ada.until_state(buying, "held")
        assert ada.order(buying).status_code == 201
        reference = ada.until_state(buying, "paid")["order"]
    sent = _sent_and_partly_refunded(shopper)
    assert {lobby.slug, free.slug} == {"lobby", "free"}
    return PUBLIC | {
        "cart": "/cart/",
        "checkout": "/checkout/",
        "sale-in-the-lobby": "/sales/lobby/",
        "sale-without-a-line": "/sales/free/",
        "line-in-the-lobby": "/sales/lobby/line/",
        "line-waiting": "/sales/waiting/line/",
        "line-your-turn": "/sales/turn/line/",
        "line-leaving": "/sales/waiting/line/leave/",
        "draw-with-an-own-place": "/sales/lobby/draw/",
        "purchase-held": f"/purchases/{holding}/",
        "purchase-checkout": f"/purchases/{holding}/checkout/",
        "order": f"/orders/{reference}/",
        "order-sent-and-partly-refunded": sent.get_absolute_url(),
        "order-return": f"{sent.get_absolute_url()}return/",
        "account": "/account/",
        "address": "/account/addresses/new/",
        "account-alerts": "/account/alerts/",
        "account-reviews": "/account/reviews/",
        "privacy": "/account/privacy/",
        "privacy-delete": "/account/privacy/delete/",
        "review-form": "/p/tide-mug/reviews/write/",
    }


def _sent_and_partly_refunded(shopper: User) -> Order:
    """Shipped with a parcel to follow, and one of three units given back."""
    order = paid_order(Variant.objects.get(sku="TIDE-MUG-OAT"), user=shopper, quantity=3)
    item = order.line_items.get()
    outcome = refunds.refund_part(
        order=order, units={item.pk: 1}, restock=True, actor="", reason="a scratch"
    )
    assert isinstance(outcome, refunds.Started)
    assert orders.fulfil(
        order=order,
        actor="",
        carrier="Example Post",
        tracking_number="EX 1",
        tracking_url="https://post.example/EX1",
    )
    return order


def _sell(sku: str, *, units: int = 3, **fields: Any) -> sales.SaleInfo:
    """A scheduled sale of something from the demo's catalogue."""
    now = timezone.now()
    sale = Sale.objects.create(
        **{
            "name": f"The {fields['slug']} sale",
            "tagline": "A small edition.",
            "description": "Made once.\n\nNever again.",
            "lobby_opens_at": now - timedelta(hours=2),
            "opens_at": now - timedelta(hours=1),
            "closes_at": now + timedelta(hours=1),
            "queue_mode": Sale.QueueMode.NONE,
            "hold_seconds": 900,
        }
        | fields
    )
    variant = Variant.objects.get(sku=sku)
    SaleItem.objects.create(sale=sale, variant=variant, price=variant.price / 2, units=units)
    sales.schedule(sale)
    return sales.describe(sale)


@contextmanager
def pages_of_each_look(browser: Browser, stack: Stack) -> Iterator[dict[str, Page]]:
    with ExitStack() as contexts:
        pages = {}
        for name, look in LOOKS.items():
            context = browser.new_context(base_url=stack.url, reduced_motion="reduce", **look)
            contexts.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            pages[name] = context.new_page()
        yield pages


@pytest.fixture(scope="module")
def public_pages(browser: Browser, stack: Stack) -> Iterator[dict[str, Page]]:
    """One page for each look, for somebody who is not signed in."""
    with pages_of_each_look(browser, stack) as pages:
        yield pages


@pytest.fixture(scope="module")
def own_pages(
    browser: Browser, stack: Stack, addresses: dict[str, str]
) -> Iterator[dict[str, Page]]:
    """One page for each look, of a shopper who has joined the lines and filled the cart."""
    with pages_of_each_look(browser, stack) as pages:
        for page in pages.values():
            sign_in(page, "ada@example.com")
            for slug, label in (("lobby", "Join the draw"), ("waiting", "Join the line")):
                page.goto(f"/sales/{slug}/")
                page.get_by_role("button", name=label).click()
                page.wait_for_url(f"/sales/{slug}/line/")
            page.goto("/sales/turn/")
            page.get_by_role("button", name="Join the line").click()
            page.wait_for_url("/sales/turn/line/")
            page.wait_for_url("/sales/turn/")  # let in by the page itself
            # Leaving the sale gives the turn back: from here on its page stays where it is while it is looked at.
            page.route("**/api/*/sales/turn/admission/", lambda route: route.abort())
        page.goto("/p/tide-mug/")
        page.get_by_role("button", name="Add to cart").click()
        page.wait_for_url("/cart/")
        yield pages


def complaints_of_axe(page: Page) -> list[str]:
    """What axe finds, a line for each: the rule and where."""
    found = Axe().run(page)
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_pages_for_everybody(
    public_pages: dict[str, Page], addresses: dict[str, str], look: str, name: str
) -> None:
    page = public_pages[look]
    page.goto(addresses[name])
    expect(heading(page)).to_have_count(1)
    assert complaints_of_axe(page) == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", OWN)
def test_axe_finds_nothing_on_a_shoppers_own_pages(
    own_pages: dict[str, Page], addresses: dict[str, str], look: str, name: str
) -> None:
    page = own_pages[look]
    answer = page.goto(addresses[name])
    assert answer is not None
    assert (answer.status, page.url.endswith(addresses[name])) == (200, True)
    expect(heading(page)).to_have_count(1)
    assert complaints_of_axe(page) == []


def test_axe_would_find_what_is_wrong(open_page: OpenPage) -> None:
    """The control: pictures without words, grey on grey, and a field that nobody named."""
    page = open_page()
    page.goto("/accounts/login/")
    page.evaluate(
        """() => {
            document.querySelector("main").innerHTML =
                '<h1>Bad</h1><img src="/static/img/favicon.svg"><input type="text"><p id="pale">Pale</p>';
            document.querySelector("#pale").style.cssText = "color: #999; background: #aaa";
        }"""
    )
    rules = {complaint.partition(":")[0] for complaint in complaints_of_axe(page)}
    assert {"image-alt", "label", "color-contrast"} <= rules


def test_nothing_scrolls_sideways_at_four_times_the_size(
    own_pages: dict[str, Page], addresses: dict[str, str]
) -> None:
    page = own_pages["390-light"]
    # 1280 by 1024 pixels at 400 %: WCAG 2.2, 1.4.10.
    page.set_viewport_size({"width": 320, "height": 256})
    too_wide = {}
    for name, address in addresses.items():
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            too_wide[name] = width
    assert too_wide == {}


# The keyboard


def focus_on(page: Page, name: str) -> None:
    """Press Tab until the focus is on what is called `name`; it must be seen where the focus is."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const element = document.activeElement;
                const style = getComputedStyle(element);
                return {
                    name: (element.innerText || element.getAttribute("aria-label") || "").trim(),
                    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
                };
            }"""
        )
        if focused["name"] == name:
            assert focused["seen"], f"Nobody sees that the focus is on {name!r}."
            return
    raise AssertionError(f"Sixty steps with Tab did not reach {name!r}.")


def test_the_first_tab_offers_to_skip_to_the_content(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 1280, "height": 800})
    page.goto("/")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_shopper_joins_and_buys_with_the_keyboard_alone(open_page: OpenPage) -> None:
    sale = make_sale(units=2, queue_mode=Sale.QueueMode.FIRST_COME, hold_seconds=300)
    shopper = make_user()
    page = open_page(viewport={"width": 1280, "height": 800})
    page.goto(f"/sales/{sale.slug}/")
    focus_on(page, "Sign in to take part")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/login/**")
    page.get_by_label("Email").focus()
    page.keyboard.type(shopper.email)
    page.keyboard.press("Tab")
    page.keyboard.type("demo")
    page.keyboard.press("Enter")
    page.wait_for_url(f"/sales/{sale.slug}/")
    focus_on(page, "Join the line")
    page.keyboard.press("Enter")
    page.wait_for_url("**/line/")
    page.wait_for_url(f"/sales/{sale.slug}/")
    focus_on(page, "Buy for €60.00")
    page.keyboard.press("Space")
    page.wait_for_url("**/purchases/**")
    expect(heading(page)).to_have_text("It is held for you")
    focus_on(page, "Go on to payment")
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout/")
    focus_on(page, "Order and pay €64.90")
    assert Purchase.objects.get(shopper=shopper).quantity == 1
