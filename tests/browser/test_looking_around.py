"""Finding a thing and looking at it: by keyboard, with and without JavaScript, and how much of it is sent."""

import re
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]  # it has no types
import pytest
from django.contrib.staticfiles import finders
from django.test import override_settings
from playwright.sync_api import expect

from shop import demo_data
from shop.models import Order
from tests.browser.conftest import OpenPage
from tests.browser.steps import heading, sign_in, tab_to
from tests.factories import make_user
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-looking-around")]

#: Bytes of the first view without its pictures.
MOST_BYTES = 100_000


@pytest.fixture(scope="module", autouse=True)
def shelves(stack: Stack) -> None:
    with override_settings(MEDIA_ROOT=Path(stack.environment["MEDIA_ROOT"])):
        demo_data.seed()


def test_suggestions_are_chosen_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/search/")
    field = page.get_by_role("combobox", name="Search for")
    field.press_sequentially("tid")
    option = page.get_by_role("option", name=re.compile("Tide mug"))
    expect(option).to_be_visible()
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("Escape")
    expect(option).to_be_hidden()
    field.press_sequentially("e")
    expect(option).to_be_visible()
    field.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    field.press("Enter")
    expect(heading(page)).to_have_text("Tide mug")


@pytest.mark.parametrize("has_script", [True, False], ids=["with a script", "without one"])
def test_a_stranger_finds_a_misspelt_thing_buys_two_kinds_of_it_and_finds_the_order_again(
    open_page: OpenPage, stack: Stack, has_script: bool
) -> None:
    """By keyboard alone, as a guest, and at the end in another browser."""
    wide: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
    page = open_page(java_script_enabled=has_script, **wide)
    page.goto("/")
    tab_to(page, page.get_by_label("Search the shop"))
    page.keyboard.type("tied mgu")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Did you mean this?")
    tab_to(page, page.get_by_role("main").get_by_role("link", name="Tide mug", exact=True))
    page.keyboard.press("Enter")
    for kind, variant in (("Oat", "TIDE-MUG-OAT"), ("Indigo", "TIDE-MUG-INDIGO")):
        expect(heading(page)).to_have_text("Tide mug")
        tab_to(page, page.get_by_role("link", name=kind, exact=True))
        page.keyboard.press("Enter")
        page.wait_for_url(f"**variant={variant}*")
        tab_to(page, page.get_by_role("button", name="Add to cart"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/cart/")
        if kind == "Oat":
            tab_to(page, page.get_by_role("heading", name="Tide mug").get_by_role("link"))
            page.keyboard.press("Enter")

    tab_to(page, page.get_by_role("link", name="Go to checkout"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout/")
    email = f"stranger-{'with' if has_script else 'without'}@example.com"
    for label, text in (
        ("Email", email),
        ("Name", "Ada Example"),
        ("Street and number", "1 Sample Street"),
        ("Postcode", "10115"),
        ("City", "Berlin"),
        ("Country", "Germany"),
    ):
        tab_to(page, page.get_by_label(label, exact=True))
        page.keyboard.type(text)
    tab_to(page, page.get_by_label("I agree to the terms of sale"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Order and pay"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/**")
    expect(heading(page)).to_have_text("It is yours")
    order = Order.objects.get(email=email)

    elsewhere = open_page(java_script_enabled=has_script, **wide)
    elsewhere.goto("/")
    tab_to(elsewhere, elsewhere.get_by_role("link", name="Find your order"))
    elsewhere.keyboard.press("Enter")
    tab_to(elsewhere, elsewhere.get_by_label("Order number"))
    elsewhere.keyboard.type(order.reference)
    elsewhere.keyboard.press("Tab")
    elsewhere.keyboard.type(email)
    elsewhere.keyboard.press("Enter")
    expect(heading(elsewhere)).to_have_text("Look into your post")
    letter = elsewhere.get_by_role("link", name=f"The way to your order {order.reference}")
    wait_for(
        lambda: elsewhere.goto(f"/mailbox/?q={email}") and letter.count(),
        what="the mail",
        stack=stack,
    )
    tab_to(elsewhere, letter)
    elsewhere.keyboard.press("Enter")
    tab_to(elsewhere, elsewhere.get_by_role("link", name=re.compile("access=")))
    elsewhere.keyboard.press("Enter")
    expect(heading(elsewhere)).to_have_text("It is yours")
    things = elsewhere.get_by_role("region", name="What you ordered").get_by_role("listitem")
    expect(things).to_contain_text(["Tide mug, Oat", "Tide mug, Indigo"])


def test_a_list_is_narrowed_and_widened_without_javascript(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/search/")
    page.locator("summary", has_text="Kind").click()
    page.get_by_role("checkbox", name=re.compile(r"^Oak \d+$")).check()
    page.get_by_role("group", name="Kind").get_by_role("button", name="Show").click()
    page.wait_for_url("**/search/?*kind=Oak*")
    page.get_by_role("link", name=re.compile("Take away: Oak")).click()
    expect(page).to_have_url(re.compile(r"/search/\??$"))


def test_the_gallery_opens_steps_and_closes_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/p/tide-mug/")
    first = page.get_by_role("link", name=re.compile("^Picture 1, larger"))
    first.focus()
    first.press("Enter")
    dialog = page.get_by_role("dialog", name="Pictures")
    expect(dialog).to_contain_text("1 / 3")
    page.keyboard.press("ArrowLeft")
    expect(dialog).to_contain_text("3 / 3")
    page.keyboard.press("+")
    expect(dialog.get_by_role("button", name="Twice as large")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("link", name=re.compile("^Picture 3, larger"))).to_be_focused()


def test_a_shoppers_own_comes_to_pages_that_are_the_same_for_everybody(
    open_page: OpenPage,
) -> None:
    page = open_page(viewport={"width": 1280, "height": 800})
    page.goto("/")
    expect(page.locator("footer").get_by_role("link", name="Sign in")).to_be_visible()
    sign_in(page, make_user().email, then="/p/hearth-teapot/")
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart/")
    page.goto("/")
    expect(page.locator(".cart-count")).to_contain_text("1")
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()


def test_what_was_looked_at_lately_is_remembered_by_the_browser_alone(
    open_page: OpenPage,
) -> None:
    page = open_page()
    for slug in ("tide-mug", "still-carafe"):
        page.goto(f"/p/{slug}/")
    recent = page.get_by_role("region", name="You looked at these")
    expect(recent.get_by_role("link")).to_have_text(["Tide mug"])
    assert [cookie["name"] for cookie in page.context.cookies()] == []


@pytest.mark.parametrize("path", ["/", "/c/table/", "/search/", "/p/tide-mug/"])
def test_the_first_view_is_light(open_page: OpenPage, path: str) -> None:
    """As a server with brotli sends it: fonts are as small as they get, text is compressed."""
    page = open_page()
    sizes: dict[str, int] = {}

    def weigh(url: str, body: bytes) -> None:
        is_text = not url.endswith(".woff2")
        sizes[url] = len(brotli.compress(body, quality=5)) if is_text else len(body)

    addresses: list[str] = []
    page.on("requestfinished", lambda request: addresses.append(request.url))
    answer = page.goto(path)
    assert answer is not None
    page.wait_for_load_state("networkidle")
    weigh(path, answer.body())
    for address in set(addresses):
        name = address.partition("/static/")[2]
        if name and name.rpartition(".")[2] in ("css", "js", "woff2"):
            plain = re.sub(r"\.[0-9a-f]{12}(?=\.\w+$)", "", name)
            found = finders.find(plain)
            assert isinstance(found, str), plain
            weigh(address, Path(found).read_bytes())
    assert len(sizes) > 5  # the page, its styles and scripts
    assert sum(sizes.values()) <= MOST_BYTES, sizes
