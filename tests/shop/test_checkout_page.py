"""The checkout's page: what it shows, what it keeps, and what its buttons do."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import caches
from django.test import Client
from pytest_django import Settings

from inventory import stock
from shop import carts, checkout, drafts
from shop.checkout import OrderLine, Placed
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.models import Address, Cart, CartLine, Order, User, Variant
from shop.ratelimits import Limit, by_address
from tests.factories import make_user, make_variant
from tests.shop.ordering import ADDRESS, captured_order, line, signed_in
from tests.shop.selling import make_code, make_method, make_tax
from tests.shop.test_checkout import FORM, filled, guest_with_cart, hidden

pytestmark = pytest.mark.django_db

TYPED = {
    "email": "ada@example.com",
    "recipient": "Ada Example",
    "street": "1 Sample Street",
    "street2": "Flat 2",
    "postcode": "1012 AB",
    "city": "Amsterdam",
    "country": "NL",
    "note": "Ring twice",
    "terms": "on",
}


@pytest.fixture
def tries_are_counted(settings: Settings) -> Iterator[None]:
    settings.RATELIMIT_ENABLE = True
    caches["ratelimit"].clear()
    yield
    caches["ratelimit"].clear()


def update(client: Client, url: str = "/checkout/", **changes: str) -> str:
    """Press Update, and see the page that it comes back to."""
    answer = client.post(url, TYPED | {"action": "update"} | changes)
    assert (answer.status_code, answer["Location"]) == (303, url)
    return client.get(url).content.decode()


def total(body: str) -> str:
    found = re.search(r'class="total">Total</dt><dd class="total">([^<]*)<', body)
    assert found
    return found[1]


def shopper_with_cart(*variants: Variant) -> tuple[User, Client]:
    user, client = make_user(), Client()
    cart = Cart.objects.create(user=user)
    for variant in variants:
        CartLine.objects.create(cart=cart, variant=variant)
    client.force_login(user)
    return user, client


def shown(body: str) -> dict[str, bool]:
    return {
        name: f'value="{value}"' in body or f">\n{value}<" in body
        for name, value in TYPED.items()
        if name not in ("country", "terms")
    }


# What was typed


def test_what_was_typed_survives_an_update_a_reload_and_a_second_tab() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    for body in (update(client), client.get("/checkout/").content.decode()):
        assert all(shown(body).values()), shown(body)
        assert '<option value="NL" selected>' in body
        assert re.search(r'name="terms"[^>]* checked', body)
    answer = client.post("/checkout/", filled(client, email="", note="Ring once"))
    assert answer.status_code == 422
    assert "Ring once" in client.get("/checkout/").content.decode()


def test_what_was_typed_survives_signing_in_half_way() -> None:
    lamp = make_variant(units=3)
    client = guest_with_cart((lamp, 1))
    user = make_user(email="ada@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    answer = client.post("/checkout/", TYPED | {"action": "sign-in"})
    assert answer["Location"] == "/accounts/login/?next=%2Fcheckout%2F"
    signed_in = client.post(answer["Location"], {"login": user.email, "password": "demo"})
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/checkout/")
    body = client.get("/checkout/").content.decode()
    assert shown(body) | {"email": True} == dict.fromkeys(shown(body), True)
    assert lamp.full_name in body


def test_cards_and_the_rest_are_never_kept_and_all_ends_with_the_order(
    transactional_db: None,
) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    number = "4242424242424242"
    update(client, card="approve", number=number, attempt="x")
    kept = client.session[drafts.SESSION_KEY]["typed"]
    assert set(kept) == set(drafts.KEPT)
    assert number not in str(dict(client.session))
    assert client.post("/checkout/", filled(client)).status_code == 303
    assert drafts.SESSION_KEY not in client.session


def test_oversize_and_broken_input_is_cut_and_harms_nothing() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    body = update(
        client, recipient="A" * 5000, country="X\x00X", discount_code="\x00" * 9, delivery="²"
    )
    assert 'value="' + "A" * 200 + '"' in body
    assert total(body) == "€100.00"
    assert client.post("/checkout/", filled(client, street="\x00", country="ZZ")).status_code == 422
    assert Order.objects.count() == 0


# Delivery and tax


def test_another_country_has_other_ways_other_tax_and_another_total() -> None:
    make_method("Parcel", ("5.00", "0", None), countries=["DE"])
    make_method("Ferry", ("9.00", "0", None), ("0.00", "200.00", None), min_days=5, max_days=9)
    make_tax("DE", "19")
    make_tax("NL", "21", is_included=False)
    client = guest_with_cart((make_variant(units=3), 1))
    body = client.get("/checkout/").content.decode()
    assert total(body) == "€105.00"
    assert "including VAT 19\xa0%: €16.77" in body
    assert "5 to 9 days" in body
    body = update(client)
    assert "Parcel" not in body
    assert "+ VAT 21\xa0%</dt><dd>€22.89" in body
    assert total(body) == "€131.89"
    assert "Order and pay €131.89" in body
    assert hidden(body, "seen_total") == "131.89"


def test_the_way_that_was_chosen_is_kept_and_ordered(transactional_db: None) -> None:
    make_method("Parcel", ("5.00", "0", None))
    express = make_method("Express", ("12.00", "0", None), position=1)
    client = guest_with_cart((make_variant(units=3), 1))
    body = update(client, delivery=str(express.pk))
    assert re.search(rf'value="{express.pk}" checked', body)
    assert "€112.00" in client.get("/cart/").content.decode()
    answer = client.post("/checkout/", filled(client, delivery=str(express.pk)))
    assert answer.status_code == 303
    order = Order.objects.get()
    assert (order.shipping_method, order.total) == ("Express", Decimal("112.00"))


def test_a_country_where_nothing_goes_is_told_at_its_field_and_nothing_is_lost() -> None:
    make_method("Parcel", ("5.00", "0", None), countries=["DE"])
    client = guest_with_cart((make_variant(units=3), 1))
    body = update(client)
    assert "We do not deliver to this country" in body
    answer = client.post("/checkout/", filled(client, country="NL"))
    body = answer.content.decode()
    assert answer.status_code == 422
    assert re.search(r'id="id_country_error">.*We do not deliver there', body, re.DOTALL)
    assert 'value="1 Sample Street"' in body
    assert "We do not deliver to Netherlands" in client.get("/cart/").content.decode()
    assert Order.objects.count() == 0


def test_a_way_that_does_not_go_there_is_not_swapped_for_another_unseen() -> None:
    parcel = make_method("Parcel", ("5.00", "0", None), countries=["DE"])
    make_method("Ferry", ("5.00", "0", None))
    client = guest_with_cart((make_variant(units=3), 1))
    form = filled(client, country="NL", delivery=str(parcel.pk))
    answer = client.post("/checkout/", form)
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "This way of delivery does not go there." in answer.content.decode()


# Discount codes


def test_a_code_is_applied_kept_and_removed_without_a_script() -> None:
    make_code(value="10")
    client = guest_with_cart((make_variant(units=3), 1))
    body = update(client, discount_code="hello")
    assert "−€10.00" in body
    assert 'value="HELLO"' in body
    assert total(body) == "€90.00"
    assert all(shown(body).values())
    assert total(client.get("/cart/").content.decode()) == "€90.00"
    body = update(client, action="remove-code", discount_code="hello")
    assert total(body) == "€100.00"
    assert 'value="HELLO"' not in body


def test_a_code_on_the_cart_is_the_checkouts_too() -> None:
    make_code(kind="shipping", value="0")
    client = guest_with_cart((make_variant(units=3, price=Decimal("20.00")), 1))
    assert client.post("/cart/discount/", {"discount_code": "Hello"})["Location"] == "/cart/"
    assert "The code counts: delivery is free." in client.get("/cart/").content.decode()
    assert total(client.get("/checkout/").content.decode()) == "€20.00"
    client.post("/cart/discount/", {"discount_code": "Hello", "action": "remove-code"})
    assert total(client.get("/cart/").content.decode()) == "€24.90"


def test_a_code_that_was_typed_and_not_applied_is_shown_before_it_is_ordered(
    transactional_db: None,
) -> None:
    make_code(value="10")
    client = guest_with_cart((make_variant(units=3), 1))
    answer = client.post("/checkout/", filled(client, discount_code="hello"))
    body = answer.content.decode()
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "The price has changed: it is €90.00 now." in body
    agreed = FORM | {name: hidden(body, name) for name in ("attempt", "seen_total")}
    assert client.post("/checkout/", agreed).status_code == 303
    order = Order.objects.get()
    assert (order.total, order.discount_code) == (Decimal("90.00"), "HELLO")


def test_a_code_that_does_not_count_places_nothing_and_says_why() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    answer = client.post("/checkout/", filled(client, discount_code="NOPE"))
    body = answer.content.decode()
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "We do not know this code. Check its spelling. Remove the code" in body
    assert 'aria-describedby="id_discount_code_error"' in body
    assert 'value="1 Sample Street"' in body


@pytest.mark.usefixtures("tries_are_counted")
def test_codes_cannot_be_guessed_by_the_hundred() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    client.get("/checkout/")
    answers = [
        client.post("/cart/discount/", {"discount_code": f"GUESS{number}"}).status_code
        for number in range(16)
    ]
    assert answers == [302] * 15 + [429]
    # The one code that was taken goes on counting its own customer's pages, and what was typed is kept.
    update(client)
    answer = client.post("/checkout/", TYPED | {"action": "update", "discount_code": "GUESS99"})
    assert answer.status_code == 429
    assert all(shown(client.get("/checkout/").content.decode()).values())


@pytest.mark.usefixtures("tries_are_counted")
def test_orders_cannot_be_tried_by_the_hundred() -> None:
    _, client = shopper_with_cart(make_variant(units=3))
    tries = [client.post("/checkout/", {"action": "order"}).status_code for _ in range(31)]
    assert tries == [422] * 30 + [429]
    assert client.get("/checkout/").status_code == 200


@pytest.mark.usefixtures("tries_are_counted")
def test_the_buttons_of_the_checkout_cannot_be_pressed_by_the_thousand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shop.views.checkout.UPDATE_LIMITS", (Limit("3/5m", by_address),))
    client = guest_with_cart((make_variant(units=3), 1))
    tries = [client.post("/checkout/", {"action": "update"}).status_code for _ in range(4)]
    assert tries == [303] * 3 + [429]


@pytest.mark.usefixtures("tries_are_counted")
def test_cards_cannot_be_tried_by_the_hundred() -> None:
    order = captured_order()
    assert order.user is not None
    client = signed_in(order.user)
    tries = [
        client.post(f"{order.get_absolute_url()}pay/", {"method": "demo", "card": "approve"})
        for _ in range(21)
    ]
    assert [answer.status_code for answer in tries] == [303] * 20 + [429]
    assert client.get(order.get_absolute_url()).status_code == 200


@pytest.mark.usefixtures("tries_are_counted")
def test_control_the_same_code_again_is_no_guess() -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    client.get("/checkout/")
    for _ in range(20):
        update(client, discount_code="HELLO")


# The address book, and terms


def test_an_address_of_the_book_is_chosen_without_losing_the_rest() -> None:
    user, client = shopper_with_cart(make_variant(units=3))
    fields = {"recipient": "Ada", "postcode": "1", "city": "Berlin", "country": "DE"}
    Address.objects.create(user=user, street="First 1", is_default=True, **fields)
    second = Address.objects.create(user=user, street="Second 2", **fields)
    strangers = Address.objects.create(user=make_user(), street="Third 3", **fields)
    body = update(client, action=f"address:{second.pk}")
    assert 'value="Second 2"' in body
    assert "Ring twice" in body
    body = update(client, action=f"address:{strangers.pk}")
    assert "Third 3" not in body
    body = update(client, action="address")
    assert 'value="Second 2"' not in body
    assert re.search(r'name="save_address"[^>]* checked', body)
    answer = client.post("/checkout/", TYPED | {"action": f"edit-address:{second.pk}"})
    edit = f"/account/addresses/{second.pk}/?next=%2Fcheckout%2F%3Faddress%3D{second.pk}"
    assert answer["Location"] == edit
    changed = client.post(edit, fields | {"street": "Second 22"})
    assert changed["Location"] == f"/checkout/?address={second.pk}"
    assert 'value="Second 22"' in client.get(changed["Location"]).content.decode()


def test_the_address_forms_next_leads_to_no_other_site() -> None:
    _, client = shopper_with_cart(make_variant())
    form = {name: value for name, value in TYPED.items() if name in drafts.KEPT}
    answer = client.post("/account/addresses/new/?next=https://evil.example/", form)
    assert answer["Location"] == "/account/"


@pytest.mark.parametrize(("box", "kept"), [({}, 1), ({"save_address": "on"}, 2)])
def test_an_address_is_kept_when_the_shopper_says_so(
    transactional_db: None, box: dict[str, str], kept: int
) -> None:
    user, client = shopper_with_cart(make_variant(units=3))
    Address.objects.create(user=user, recipient="A", street="B", city="C", country="DE")
    answer = client.post("/checkout/", filled(client, **box))
    assert (answer.status_code, user.addresses.count()) == (303, kept)


def test_an_address_that_is_in_the_book_is_not_kept_twice(transactional_db: None) -> None:
    user, client = shopper_with_cart(make_variant(units=3))
    known = {name: FORM[name] for name in ADDRESS_AUTOCOMPLETE}
    Address.objects.create(user=user, **known)
    client.post("/checkout/", filled(client, save_address="on"))
    assert (Order.objects.count(), user.addresses.count()) == (1, 1)


def test_nobody_orders_without_agreeing_to_the_terms(settings: Settings) -> None:
    settings.TERMS_URL = "https://shop.example/terms/"
    client = guest_with_cart((make_variant(units=3), 1))
    answer = client.post("/checkout/", filled(client, terms=""))
    body = answer.content.decode()
    assert (answer.status_code, Order.objects.count()) == (422, 0)
    assert "Please agree to the terms of sale before you order." in body
    assert 'href="https://shop.example/terms/"' in body


def test_what_a_shopper_said_stands_on_the_order(transactional_db: None) -> None:
    client = guest_with_cart((make_variant(units=3), 1))
    client.post("/checkout/", filled(client, note="  Ring twice  "))
    order = Order.objects.get()
    assert (order.note, order.terms_accepted_at is not None) == ("Ring twice", True)
    assert order.extension_seconds == 600


# Bad quantities


@pytest.mark.parametrize("quantity", ["-1", "0", "999999999999", "1e3", "", "½"])
def test_a_quantity_that_is_none_changes_nothing(quantity: str) -> None:
    lamp = make_variant(units=3)
    client = guest_with_cart((lamp, 2))
    client.post("/cart/add/", {"sku": lamp.sku, "quantity": quantity})
    assert CartLine.objects.get().quantity == 2


@pytest.mark.parametrize("quantity", ["-1", "1000", "999999999999", "x"])
def test_a_line_cannot_have_a_quantity_that_is_none(quantity: str) -> None:
    client = guest_with_cart((make_variant(units=3), 2))
    client.post(f"/cart/lines/{CartLine.objects.get().pk}/", {"quantity": quantity})
    assert CartLine.objects.get().quantity == 2


def test_another_shoppers_cart_line_does_not_exist() -> None:
    guest_with_cart((make_variant(units=3), 2))
    line_pk = CartLine.objects.get().pk
    stranger = guest_with_cart((make_variant(units=3), 1))
    for who in (stranger, Client()):
        changed = who.post(f"/cart/lines/{line_pk}/", {"quantity": "1"})
        removed = who.post(f"/cart/lines/{line_pk}/remove/")
        assert (changed.status_code, removed.status_code) == (404, 404)
    assert CartLine.objects.get(pk=line_pk).quantity == 2


# A hold never blocks its own buyer (failure 25)


def order_of(user: User, *lines: OrderLine) -> Order:
    placed = checkout.place_order(
        key=uuid4(), user=user, email=user.email, address=ADDRESS, lines=lines
    )
    assert isinstance(placed, Placed)
    return placed.order


def test_who_has_the_last_unit_in_an_unpaid_order_is_led_to_its_payment_from_the_cart(
    transactional_db: None,
) -> None:
    lamp = make_variant(units=1)
    user, client = shopper_with_cart(lamp)
    order = order_of(user, line(lamp))
    answer = client.post("/checkout/", filled(client))
    assert answer.status_code == 409
    assert f'href="/orders/{order.reference}/"' in answer.content.decode()
    paid: Any = client.post(f"/orders/{order.reference}/pay/", {"card": "approve"})
    order.refresh_from_db()
    assert (paid.status_code, order.state) == (303, Order.State.PAID)


def test_control_a_look_at_the_stock_would_block_the_buyer_and_a_stranger_is_led_nowhere() -> None:
    lamp = make_variant(units=1)
    order = order_of(make_user(), line(lamp))
    assert stock.available(skus=[lamp.sku]) == {lamp.sku: 0}
    _, stranger = shopper_with_cart(lamp)
    answer = stranger.post("/checkout/", filled(stranger))
    assert answer.status_code == 409
    assert order.reference not in answer.content.decode()


def test_a_guest_finds_the_own_unpaid_order_too(transactional_db: None) -> None:
    lamp = make_variant(units=1)
    client = guest_with_cart((lamp, 1))
    client.post("/checkout/", filled(client, card="decline"))
    order = Order.objects.get()
    again = Cart.objects.create()
    CartLine.objects.create(cart=again, variant=lamp)
    session = client.session
    session[carts.SESSION_KEY] = str(again.pk)
    session.save()
    answer = client.post("/checkout/", filled(client))
    assert f'href="/orders/{order.reference}/"' in answer.content.decode()
