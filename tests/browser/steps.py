"""What shoppers do in the browser, in the order of the way to a paid order."""

import re
from uuid import uuid4

from playwright.sync_api import Locator, Page, expect

from flashsale.line import drawn_place
from flashsale.sales import SaleInfo
from shop.models import User
from tests.factories import make_user

#: Milliseconds for one step in the browser, on two busy cores.
PATIENCE_MS = 20_000
#: Steps with Tab from the top of the longest page to its foot, and some more.
MOST_TABS = 120
expect.set_options(timeout=PATIENCE_MS)


def make_shopper_at(place: int, *, sale: SaleInfo, draw_size: int) -> User:
    """A shopper whose place in a draw of `draw_size` entrants will be `place`."""
    shopper = uuid4()
    while drawn_place(seed=sale.seed, shopper=shopper, draw_size=draw_size) != place:
        shopper = uuid4()
    return make_user(shopper_id=shopper)


def sign_in(page: Page, email: str, *, then: str = "/account/") -> None:
    page.goto(f"/accounts/login/?next={then}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("demo")
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(then)


def fill_in_address(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Ada Example")
    page.get_by_label("Street and number").fill("1 Sample Street")
    page.get_by_label("Postcode").fill("10115")
    page.get_by_label("City").fill("Berlin")
    page.get_by_label("Country").select_option("DE")


def pay(page: Page, *, total: str) -> None:
    """From the checkout to the page of a paid order; the page finds out by itself."""
    fill_in_address(page)
    page.get_by_label("Approve it at once").check()
    page.get_by_label("I agree to the terms of sale").check()
    page.get_by_role("button", name=f"Order and pay {total}").click()
    page.wait_for_url(re.compile("/orders/"))
    expect(heading(page)).to_have_text("It is yours")
    expect(page.get_by_role("main")).to_contain_text("Paid, and kept for you")


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is there; nothing else moves it. A page without scripts is asked as well."""
    focused = target.and_(page.locator(":focus"))
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if focused.count():
            return
    raise AssertionError(f"{MOST_TABS} steps with Tab did not reach {target}.")


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)
