"""What changed since a shopper looked at the cart: told once. Lines that are put aside."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from inventory import stock
from shop import cart_news, carts, checkout
from shop.cart_news import Kind
from shop.models import Cart, CartLine, Product, Variant
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import signed_in


def cart_of(variant: Variant, quantity: int = 2) -> Cart:
    cart = Cart.objects.create()
    assert isinstance(carts.add(cart=cart, sku=variant.sku, quantity=quantity), carts.Changed)
    return cart


def told(cart: Cart) -> list[Kind]:
    return [news.kind for news in cart_news.tell(carts.contents(cart=cart))]


def change(variant: Variant, **fields: Any) -> None:
    Variant.objects.filter(pk=variant.pk).update(**fields)


def test_a_cart_that_nothing_happened_to_has_no_news(db: None) -> None:
    cart = cart_of(make_variant(units=5))
    assert told(cart) == []
    carts.set_quantity(cart=cart, line_pk=cart.lines.get().pk, quantity=4)
    assert told(cart) == []


def test_each_change_is_told_once(db: None) -> None:
    variant = make_variant(units=5)
    cart = cart_of(variant)
    change(variant, price=Decimal("120.00"))
    assert (told(cart), told(cart)) == ([Kind.DEARER], [])
    change(variant, price=Decimal("80.00"))
    assert (told(cart), told(cart)) == ([Kind.CHEAPER], [])
    stock.adjust(sku=variant.sku, change=-4, reason="broken")
    assert (told(cart), told(cart)) == ([Kind.FEWER], [])
    stock.adjust(sku=variant.sku, change=-1, reason="broken")
    assert (told(cart), told(cart)) == ([Kind.SOLD_OUT], [])
    stock.receive(sku=variant.sku, quantity=9)
    assert (told(cart), told(cart)) == ([Kind.BACK], [])
    Product.objects.update(is_published=False)
    assert (told(cart), told(cart)) == ([Kind.GONE], [])
    Product.objects.update(is_published=True)
    assert (told(cart), told(cart)) == ([Kind.FOR_SALE_AGAIN], [])


def test_fewer_units_that_are_enough_are_no_news(db: None) -> None:
    variant = make_variant(units=50)
    cart = cart_of(variant)
    stock.adjust(sku=variant.sku, change=-40, reason="broken")
    assert told(cart) == []


def test_two_tabs_that_open_the_cart_at_once_tell_it_once(transactional_db: None) -> None:
    variant = make_variant(units=5)
    cart = cart_of(variant)
    for price in range(101, 111):
        change(variant, price=Decimal(price))
        found = carts.contents(cart=cart)
        both = at_once(partial(cart_news.tell, found), partial(cart_news.tell, found))
        assert sorted(map(len, both)) == [0, 1]


def test_without_the_condition_both_tabs_would_tell_it(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    before, after = cart_news.REMEMBER.split("AND (line.known_price")
    monkeypatch.setattr(cart_news, "REMEMBER", before + "RETURNING" + after.split("RETURNING")[1])
    variant = make_variant(units=5)
    cart = cart_of(variant)
    change(variant, price=Decimal(101))
    found = carts.contents(cart=cart)
    both = at_once(lambda: cart_news.tell(found), lambda: cart_news.tell(found))
    assert sorted(map(len, both)) == [1, 1]


def test_the_page_says_what_changed_and_then_no_more(db: None, client: Client) -> None:
    variant = make_variant(units=5)
    client.post("/cart/add/", {"sku": variant.sku, "quantity": 1})
    change(variant, price=Decimal("120.00"))
    first, second = (client.get("/cart/").content.decode() for _ in range(2))
    assert f"{variant.full_name} costs €120.00 now; it was €100.00." in first
    assert "What has changed" not in second


def test_what_is_put_aside_is_kept_and_not_ordered(db: None, client: Client) -> None:
    later, now = make_variant(units=5), make_variant(units=5)
    for variant in (later, now):
        client.post("/cart/add/", {"sku": variant.sku, "quantity": 2})
    line = CartLine.objects.get(variant=later)
    client.post(f"/cart/lines/{line.pk}/save/")
    page = client.get("/cart/")
    assert [row.variant for row in page.context["cart_lines"]] == [now]
    assert [row.variant for row in page.context["saved_lines"]] == [later]
    assert page.context["cart_count"] == 2
    assert [row.variant for row in checkout.lines_of(line.cart)] == [now]
    client.post(f"/cart/lines/{line.pk}/take/")
    assert len(client.get("/cart/").context["cart_lines"]) == 2


def test_what_was_put_aside_and_sold_out_stays_there(db: None, client: Client) -> None:
    variant = make_variant(units=2)
    cart = cart_of(variant)
    pk = cart.lines.get().pk
    assert carts.save_for_later(cart=cart, line_pk=pk) == variant
    stock.adjust(sku=variant.sku, change=-2, reason="broken")
    assert isinstance(carts.take_back(cart=cart, line_pk=pk), carts.Refused)
    assert cart.lines.get().is_saved
    stock.receive(sku=variant.sku, quantity=1)
    outcome = carts.take_back(cart=cart, line_pk=pk)
    assert isinstance(outcome, carts.Changed)
    assert (outcome.quantity, outcome.is_less) == (1, True)


def test_another_shopper_s_line_is_neither_put_aside_nor_taken(db: None, client: Client) -> None:
    line = cart_of(make_variant(units=5)).lines.get()
    for action in ("save", "take"):
        assert client.post(f"/cart/lines/{line.pk}/{action}/").status_code == 404
    assert not CartLine.objects.get().is_saved


def test_adding_what_was_put_aside_takes_it_back(db: None) -> None:
    variant = make_variant(units=9)
    cart = cart_of(variant, quantity=4)
    carts.save_for_later(cart=cart, line_pk=cart.lines.get().pk)
    carts.add(cart=cart, sku=variant.sku, quantity=1)
    line = cart.lines.get()
    assert (line.is_saved, line.quantity) == (False, 1)


@pytest.mark.parametrize(
    ("guest", "own", "is_saved", "quantity"),
    [("cart", "cart", False, 3), ("later", "later", True, 3), ("cart", "later", False, 2),
     ("later", "cart", False, 1), ("later", None, True, 2)],
)  # fmt: skip
def test_a_guest_s_lines_join_and_what_was_put_aside_is_kept(
    db: None, guest: str, own: str | None, is_saved: bool, quantity: int
) -> None:
    user, variant = make_user(), make_variant(units=9)
    theirs = Cart.objects.create()
    theirs.lines.create(variant=variant, quantity=2, is_saved=guest == "later")
    mine = Cart.objects.create(user=user)
    if own:
        mine.lines.create(variant=variant, quantity=1, is_saved=own == "later")
    carts.merge(guest_cart_id=str(theirs.pk), user=user)
    line = CartLine.objects.get()
    assert (line.cart, line.is_saved, line.quantity) == (mine, is_saved, quantity)


def test_the_cart_takes_as_many_queries_for_ten_news_as_for_two(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    user = make_user()
    cart, client = Cart.objects.create(user=user), signed_in(user)
    for lines in (2, 10):
        while cart.lines.count() < lines:
            carts.add(cart=cart, sku=make_variant(units=2).sku, quantity=1)
        Variant.objects.update(price=Decimal(100 + lines))
        with django_assert_max_num_queries(11):
            assert len(client.get("/cart/").context["news"]) == lines
