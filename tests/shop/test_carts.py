from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from inventory import stock
from shop import carts
from shop.models import (
    Address,
    Cart,
    CartLine,
    DiscountCode,
    ShippingMethod,
    ShippingRate,
    TaxRate,
    Variant,
)
from tests.factories import make_user, make_variant


def make_cart(*lines: tuple[Variant, int]) -> Cart:
    cart = Cart.objects.create()
    for variant, quantity in lines:
        CartLine.objects.create(cart=cart, variant=variant, quantity=quantity)
    return cart


def held(cart: Cart) -> dict[str, int]:
    return dict(cart.lines.values_list("variant__sku", "quantity"))


def test_adding_twice_adds_up_in_one_line(db: None) -> None:
    variant, cart = make_variant(units=9), make_cart()
    carts.add(cart=cart, sku=variant.sku, quantity=2)
    outcome = carts.add(cart=cart, sku=variant.sku, quantity=3)
    assert outcome == carts.Changed(variant=variant, quantity=5, wanted=5)
    assert held(cart) == {variant.sku: 5}


def test_a_cart_takes_no_more_than_can_be_had(db: None) -> None:
    variant, cart = make_variant(units=3), make_cart()
    outcome = carts.add(cart=cart, sku=variant.sku, quantity=5)
    assert outcome == carts.Changed(variant=variant, quantity=3, wanted=5)
    assert isinstance(outcome, carts.Changed)
    assert outcome.is_less
    again = carts.add(cart=cart, sku=variant.sku, quantity=1)
    assert again == carts.Refused(f"Your cart holds all that can be had of {variant.full_name}: 3.")
    assert held(cart) == {variant.sku: 3}


def test_a_line_holds_at_most_twenty(db: None) -> None:
    variant, cart = make_variant(units=99), make_cart()
    carts.add(cart=cart, sku=variant.sku, quantity=15)
    carts.add(cart=cart, sku=variant.sku, quantity=15)
    assert held(cart) == {variant.sku: carts.MAX_QUANTITY}


def test_what_is_not_for_sale_is_refused_and_changes_nothing(db: None) -> None:
    cart = make_cart()
    sold_out, withdrawn = make_variant(units=0), make_variant(units=5)
    Variant.objects.filter(pk=withdrawn.pk).update(is_active=False)
    for sku, reason in (
        (sold_out.sku, f"{sold_out.full_name} is sold out."),
        (withdrawn.sku, "This is not for sale any more."),
        ("NOTHING", "This is not for sale any more."),
        ("NUL\x00", "This is not for sale any more."),
    ):
        assert carts.add(cart=cart, sku=sku, quantity=1) == carts.Refused(reason)
    assert held(cart) == {}


def test_a_cart_holds_at_most_fifty_different_things(db: None) -> None:
    cart = make_cart(*[(make_variant(), 1) for _ in range(carts.MAX_LINES)])
    outcome = carts.add(cart=cart, sku=make_variant(units=1).sku, quantity=1)
    assert isinstance(outcome, carts.Refused)
    assert cart.lines.count() == carts.MAX_LINES


def test_another_cart_s_line_cannot_be_changed(db: None) -> None:
    variant = make_variant(units=9)
    theirs, mine = make_cart((variant, 2)), make_cart()
    line = theirs.lines.get()
    gone = carts.Refused("This is not in your cart any more.")
    assert carts.set_quantity(cart=mine, line_pk=line.pk, quantity=1) == gone
    assert carts.remove(cart=mine, line_pk=line.pk) == gone
    assert held(theirs) == {variant.sku: 2}


def test_contents_have_today_s_prices_and_say_what_is_short(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    dear = make_variant(units=1, price=Decimal("19.90"))
    cheap = make_variant(units=9, price=Decimal("5.05"))
    cart = make_cart((dear, 2), (cheap, 3))
    with django_assert_num_queries(2):  # lines with what is available, pictures
        contents = carts.contents(cart=cart)
    assert [(line.total, line.available, line.is_short) for line in contents.lines] == [
        (Decimal("39.80"), 1, True),
        (Decimal("15.15"), 9, False),
    ]
    assert contents.subtotal == Decimal("54.95")


def test_merging_adds_up_within_the_limit_and_removes_the_guest_s_cart(db: None) -> None:
    both, only = make_variant(), make_variant()
    user = make_user()
    own = Cart.objects.create(user=user)
    CartLine.objects.create(cart=own, variant=both, quantity=15)
    guest = make_cart((both, 10), (only, 2))
    for _ in range(2):  # the second finds nothing to do
        carts.merge(guest_cart_id=str(guest.pk), user=user)
    assert held(own) == {both.sku: carts.MAX_QUANTITY, only.sku: 2}
    assert not Cart.objects.filter(pk=guest.pk).exists()


def test_another_shopper_s_cart_is_never_merged(db: None) -> None:
    variant, thief = make_variant(), make_user()
    theirs = Cart.objects.create(user=make_user())
    CartLine.objects.create(cart=theirs, variant=variant, quantity=1)
    carts.merge(guest_cart_id=str(theirs.pk), user=thief)
    assert held(theirs) == {variant.sku: 1}
    assert not Cart.objects.filter(user=thief).exists()


def test_a_guest_s_cart_joins_the_shopper_s_at_sign_in(db: None, client: Client) -> None:
    variant = make_variant(units=5)
    user = make_user(password="correct horse")
    client.post("/cart/add/", {"sku": variant.sku, "quantity": 2})
    client.post("/accounts/login/", {"login": user.email, "password": "correct horse"})
    assert held(Cart.objects.get(user=user)) == {variant.sku: 2}
    assert client.get("/cart/").context["cart_count"] == 2
    assert carts.SESSION_KEY not in client.session


def test_the_cart_page_adds_changes_removes_and_puts_back(db: None, client: Client) -> None:
    variant = make_variant(units=5)
    response = client.post("/cart/add/", {"sku": variant.sku, "quantity": 2}, follow=True)
    assert response.redirect_chain == [("/cart/", 302)]
    line = response.context["cart_lines"][0]
    assert (line.quantity, response.context["cart_count"]) == (2, 2)
    client.post(f"/cart/lines/{line.pk}/", {"quantity": 4})
    assert held(Cart.objects.get()) == {variant.sku: 4}
    response = client.post(f"/cart/lines/{line.pk}/remove/", follow=True)
    removed = response.context["removed"]
    assert removed == {"sku": variant.sku, "name": variant.full_name, "quantity": 4}
    assert client.get("/cart/").context["removed"] is None
    client.post("/cart/add/", {"sku": removed["sku"], "quantity": removed["quantity"]})
    assert held(Cart.objects.get()) == {variant.sku: 4}
    line = CartLine.objects.get()
    client.post(f"/cart/lines/{line.pk}/", {"quantity": 0})
    assert held(Cart.objects.get()) == {}


def test_bad_quantities_are_told_and_change_nothing(db: None, client: Client) -> None:
    variant = make_variant(units=50)
    client.post("/cart/add/", {"sku": variant.sku, "quantity": 1})
    line = CartLine.objects.get()
    for quantity in ("-1", "x", "", "1.5", "1e9", "99999999999999999999"):
        response = client.post("/cart/add/", {"sku": variant.sku, "quantity": quantity})
        assert len(list(get_messages(response.wsgi_request))) >= 1, quantity
        client.post(f"/cart/lines/{line.pk}/", {"quantity": quantity})
        line.refresh_from_db()
        assert line.quantity == 1, quantity


def test_a_cart_changes_by_post_alone(db: None, client: Client) -> None:
    for url in ("/cart/add/", "/cart/lines/1/", "/cart/lines/1/remove/"):
        assert client.get(url).status_code == 405
    assert Client(enforce_csrf_checks=True).post("/cart/add/").status_code == 403


@pytest.mark.parametrize("is_guest", [True, False])
def test_the_cart_takes_few_queries_whatever_is_in_it(
    db: None,
    client: Client,
    is_guest: bool,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    if not is_guest:
        user = make_user()
        Address.objects.create(user=user, recipient="A", street="1 B", postcode="1", country="FR")
        client.force_login(user)
    rate = ShippingRate(method=ShippingMethod.objects.create(name="By road"), price=3)
    rate.save()
    TaxRate.objects.create(country="FR", name="TVA", percent=20)
    DiscountCode.objects.create(code="TEN", value=10, max_uses_per_customer=1)
    reduced = make_variant(units=1, price=Decimal(50), compare_at_price=Decimal(90))
    variants = [reduced, *(make_variant(units=1) for _ in range(9))]
    for variant in variants:
        client.post("/cart/add/", {"sku": variant.sku, "quantity": 1})
    client.post("/cart/discount/", {"discount_code": "ten"})
    saved = CartLine.objects.get(variant=variants[9])
    client.post(f"/cart/lines/{saved.pk}/save/")
    client.get("/cart/")
    Variant.objects.filter(pk=variants[1].pk).update(price=1)
    with django_assert_max_num_queries(8):
        page = client.get("/cart/").context
    assert (len(page["cart_lines"]), len(page["saved_lines"]), len(page["news"])) == (9, 1, 1)
    assert page["quote"].discount_code == "TEN"
    assert (page["quote"].tax_name == "TVA") is not is_guest


def test_a_line_that_sold_out_since_says_so(db: None, client: Client) -> None:
    variant = make_variant(units=2)
    client.post("/cart/add/", {"sku": variant.sku, "quantity": 2})
    stock.adjust(sku=variant.sku, change=-2, reason="broken")
    line = client.get("/cart/").context["cart_lines"][0]
    assert (line.available, line.is_short) == (0, True)


def add_from_tabs(cart: Cart, sku: str, *, tabs: int) -> None:
    def add(_: int) -> None:
        carts.add(cart=cart, sku=sku, quantity=1)
        connection.close()

    with ThreadPoolExecutor(tabs) as pool:
        list(pool.map(add, range(tabs)))


def test_tabs_that_add_at_once_lose_nothing(transactional_db: None) -> None:
    variant, cart = make_variant(units=50), make_cart()
    add_from_tabs(cart, variant.sku, tabs=8)
    assert held(cart) == {variant.sku: 8}


def test_control_without_holding_the_cart_still_a_unit_is_lost(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant, cart = make_variant(units=50), make_cart()
    both_have_read = Barrier(2, timeout=10)
    bounded = carts._bounded

    def bounded_after_both_have_read(**arguments: Any) -> carts.Changed | carts.Refused:
        both_have_read.wait()
        return bounded(**arguments)

    monkeypatch.setattr(carts, "_hold_still", lambda cart: None)
    monkeypatch.setattr(carts, "_bounded", bounded_after_both_have_read)
    add_from_tabs(cart, variant.sku, tabs=2)
    assert held(cart) == {variant.sku: 1}
