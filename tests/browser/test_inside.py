"""Closing the page of somebody who is inside, in a real browser."""

import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from flashsale import gate, store
from flashsale.admissions import GRACE_SECONDS
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from tests.browser.conftest import OpenPage
from tests.browser.steps import PATIENCE_MS, sign_in
from tests.factories import make_sale, make_user

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-inside")]


def let_in(open_page: OpenPage) -> tuple[Page, SaleInfo, UUID]:
    """Somebody who came in through the line, on the sale's page."""
    sale = make_sale(units=9, items=2, queue_mode=Sale.QueueMode.FIRST_COME, admission_seconds=600)
    user, page = make_user(), open_page()
    sign_in(page, user.email, then=f"/sales/{sale.slug}/")
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url(f"/sales/{sale.slug}/")
    expect(page.get_by_role("main")).to_contain_text("You are in.")
    return page, sale, user.shopper_id


def seconds_left(sale: SaleInfo, shopper: UUID) -> float:
    ends = store.client().zscore(key(sale.id, "active"), str(shopper))
    return 0.0 if ends is None else (float(ends) - gate.milliseconds(timezone.now())) / 1000


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_closing_the_page_gives_the_place_away_after_a_grace(open_page: OpenPage) -> None:
    page, sale, shopper = let_in(open_page)
    assert seconds_left(sale, shopper) > 500
    page.close(run_before_unload=False)
    until(lambda: seconds_left(sale, shopper) <= GRACE_SECONDS)


def test_a_reload_and_another_page_of_the_shop_keep_the_place(open_page: OpenPage) -> None:
    page, sale, shopper = let_in(open_page)
    page.reload()
    until(lambda: seconds_left(sale, shopper) <= GRACE_SECONDS)
    until(lambda: seconds_left(sale, shopper) > 500)
    expect(page.get_by_role("main")).to_contain_text("You are in.")
    assert seconds_left(sale, shopper) > 500
    page.get_by_role("link", name=sale.items[0].name).click()
    page.wait_for_url("/p/**")
    assert seconds_left(sale, shopper) > 500
    page.go_back()
    expect(page.get_by_role("main")).to_contain_text("You are in.")
    assert seconds_left(sale, shopper) > 500


def test_closing_one_of_two_pages_of_the_sale_keeps_the_place(open_page: OpenPage) -> None:
    page, sale, shopper = let_in(open_page)
    second = page.context.new_page()
    second.goto(f"/sales/{sale.slug}/")
    expect(second.get_by_role("main")).to_contain_text("You are in.")
    page.close(run_before_unload=False)
    until(lambda: bool(store.client().hlen(key(sale.id, "away"))))
    until(lambda: seconds_left(sale, shopper) > 500)


def test_the_button_gives_the_place_away_at_once(open_page: OpenPage) -> None:
    page, sale, shopper = let_in(open_page)
    page.get_by_role("button", name="I am done: let the next one in").click()
    expect(page.get_by_role("button", name="Join the line")).to_be_visible()
    assert seconds_left(sale, shopper) == 0
