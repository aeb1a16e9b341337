"""The checkout in a browser: a guest buys from a cart on a small screen, and a hold says that its time is short."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from inventory.models import Reservation
from shop.models import Order, Variant
from tests.browser.conftest import OpenPage
from tests.browser.steps import fill_in_address, heading, sign_in, tab_to
from tests.factories import make_sale, make_user, make_variant
from tests.shop.selling import make_code, make_method

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-checkout")]


@pytest.fixture
def lamp(transactional_db: None) -> Variant:
    """Something to buy, two ways for it to come, and a code."""
    make_method("Parcel", ("5.00", "0", None), countries=["DE"])
    make_method("Express", ("12.00", "0", None), countries=["DE", "NL"], position=1)
    make_code("HELLO", "10")
    return make_variant(units=3)


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without one"])
def test_a_guest_buys_with_a_code_and_a_choice_by_keyboard_alone(
    open_page: OpenPage, lamp: Variant, script: bool
) -> None:
    page = open_page(java_script_enabled=script)
    page.goto(lamp.product.get_absolute_url())
    tab_to(page, page.get_by_role("button", name="Add to cart"))
    page.keyboard.press("Enter")
    page.wait_for_url("/cart/")
    tab_to(page, page.get_by_role("link", name="Go to checkout"))
    page.keyboard.press("Enter")
    page.wait_for_url("/checkout/")
    expect(page.locator("dd.total")).to_have_text("€105.00")

    page.get_by_label("Email").press_sequentially("ada@example.com")
    fill_in_address(page)
    code = page.get_by_label("Discount code")
    code.press_sequentially("hello")
    code.press("Enter")
    expect(page.locator("dd.total")).to_have_text("€95.00")
    expect(page.get_by_label("Street and number")).to_have_value("1 Sample Street")
    express = page.get_by_role("radio", name=re.compile("Express"))
    if script:
        page.get_by_role("radio", name=re.compile("Parcel")).press("ArrowDown")
        expect(page.locator("[data-priced][role=status]")).to_contain_text("€102.00")
        expect(express).to_be_focused()
    else:
        express.press("Space")
        page.get_by_role("button", name="Update").press("Enter")
    expect(page.locator("dd.total")).to_have_text("€102.00")
    expect(express).to_be_checked()
    tab_to(page, page.get_by_label("I agree to the terms of sale"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Order and pay €102.00"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/orders/"))
    expect(heading(page)).to_have_text("It is yours")

    order = Order.objects.get()
    assert (order.state, order.total) == (Order.State.PAID, Decimal("102.00"))
    assert (order.shipping_method, order.discount_code) == ("Express", "HELLO")


def test_the_country_is_priced_in_place_and_where_nothing_goes_it_says_so(
    open_page: OpenPage, lamp: Variant
) -> None:
    page = open_page()
    page.goto(lamp.product.get_absolute_url())
    page.locator("form[action='/cart/add/'] button").click()
    page.wait_for_url("/cart/")
    page.goto("/checkout/")
    page.get_by_label("Postcode").fill("1012")
    page.get_by_label("Country").select_option("NL")
    expect(page.locator("dd.total")).to_have_text("€112.00")
    expect(page.get_by_role("button", name="Order and pay €112.00")).to_be_visible()
    page.get_by_label("Country").select_option("NO")
    expect(page.locator("#delivery-choice")).to_contain_text("We do not deliver to this country")
    expect(page.get_by_label("Postcode")).to_have_value("1012")


def test_a_hold_of_half_a_minute_warns_at_once_and_can_be_made_longer(open_page: OpenPage) -> None:
    sale, person = make_sale(units=1, hold_seconds=30, hold_extension_seconds=300), make_user()
    page = open_page()
    sign_in(page, person.email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Buy for €60.00").click()
    expect(heading(page)).to_have_text("It is held for you")
    said = page.locator("[data-announce]")
    expect(said).to_have_text(re.compile(r"^(30|2\d) seconds left$"))
    page.get_by_role("button", name="I need more time").click()
    expect(page.get_by_role("main")).to_contain_text("You have more time")
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^5:\d\d$"))
    expect(page.get_by_role("button", name="I need more time")).to_have_count(0)
    expect(said).to_have_text("")

    # An hour's hold warns once, half a minute before its end; the page's clock is moved on.
    Reservation.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    page.clock.install()
    page.reload()
    expect(said).to_have_text("")
    page.clock.run_for((60 * 60 - 40) * 1000)
    expect(said).to_have_text("1 minute left")
    page.clock.run_for(15_000)
    expect(said).to_have_text("30 seconds left")
