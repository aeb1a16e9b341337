"""Cart, wishlist, reviews and orders over the API."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token

from inventory import stock
from shop.models import Cart, CartLine, IdempotentAnswer, Order, Review, User, Variant
from tests.factories import make_user, make_variant
from tests.shop.ordering import captured_order, signed_in

API = "/api/v1"
ADDRESS = {
    "recipient": "Ada Example", "street": "1 Sample Street", "postcode": "10115",
    "city": "Berlin", "country": "DE",
}  # fmt: skip
ORDER = {"shipping_address": ADDRESS, "payment_method": {"method": "demo", "card": "approve"}}


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    return getattr(client, method)(
        f"{API}{path}", body, content_type="application/json", headers=headers
    )


def add(client: Client, variant: Variant, quantity: int = 1) -> Any:
    return send(client, "post", "/cart/lines/", {"sku": variant.sku, "quantity": quantity})


@pytest.fixture(params=["guest", "account"])
def shopper(request: pytest.FixtureRequest, db: None) -> Client:
    return Client() if request.param == "guest" else signed_in(make_user())


def test_a_cart_is_filled_changed_put_aside_and_emptied(shopper: Client) -> None:
    variant = make_variant(units=3)
    added = add(shopper, variant, 2)
    assert added.status_code == 201
    [line] = added.json()["lines"]
    assert (line["sku"], line["quantity"], line["total"]) == (variant.sku, 2, "200.00")
    path = f"/cart/lines/{line['id']}/"
    changed = send(shopper, "patch", path, {"quantity": 9}).json()
    assert (changed["lines"][0]["quantity"], changed["subtotal"]) == (3, "300.00")
    aside = send(shopper, "patch", path, {"is_saved": True}).json()
    assert (aside["lines"], len(aside["saved"]), aside["subtotal"]) == ([], 1, "0.00")
    back = send(shopper, "patch", path, {"is_saved": False}).json()
    assert len(back["lines"]) == 1
    assert send(shopper, "delete", path).status_code == 204
    assert send(shopper, "get", "/cart/").json()["lines"] == []


def test_what_cannot_be_had_is_a_problem(shopper: Client) -> None:
    for sku in (make_variant(units=0).sku, "NOTHING"):
        answer = send(shopper, "post", "/cart/lines/", {"sku": sku})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_available")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert not CartLine.objects.exists()


def test_broken_bodies_change_nothing(shopper: Client) -> None:
    variant = make_variant(units=3)
    bodies: list[Any] = [{}, [], *({"sku": variant.sku, "quantity": units} for units in (0, 21))]
    for body in bodies:
        assert send(shopper, "post", "/cart/lines/", body).status_code == 400, body
    assert not CartLine.objects.exists()


def test_another_shopper_s_line_does_not_exist(shopper: Client) -> None:
    theirs = Cart.objects.create().lines.create(variant=make_variant(units=3))
    for method, body in (("patch", {"quantity": 3}), ("delete", None)):
        for pk in (theirs.pk, 2**70):
            assert send(shopper, method, f"/cart/lines/{pk}/", body).status_code == 404
    assert CartLine.objects.get().quantity == 1


def test_the_cart_takes_as_many_queries_for_ten_lines_as_for_two(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    user = make_user()
    cart, client = Cart.objects.create(user=user), signed_in(user)
    for lines in (2, 10):
        while cart.lines.count() < lines:
            cart.lines.create(variant=make_variant(units=1))
        with django_assert_max_num_queries(6):
            assert len(send(client, "get", "/cart/").json()["lines"]) == lines


def test_a_wishlist_is_paged_and_changes(shopper: Client) -> None:
    product = make_variant(units=1).product
    for _ in range(2):
        assert send(shopper, "post", "/wishlist/", {"product": product.slug}).status_code == 201
    body = send(shopper, "get", "/wishlist/").json()
    assert (body["count"], body["results"][0]["slug"]) == (1, product.slug)
    assert send(shopper, "delete", f"/wishlist/{product.slug}/").status_code == 204
    assert send(shopper, "delete", f"/wishlist/{product.slug}/").status_code == 404
    assert send(shopper, "post", "/wishlist/", {"product": "nothing"}).status_code == 404


def test_a_buyer_writes_reads_and_takes_back_a_review(db: None) -> None:
    user, variant = make_user(), make_variant(units=3)
    captured_order(variant, user=user)
    client, path = signed_in(user), f"/products/{variant.product.slug}/reviews/"
    body = {"rating": 5, "title": "Bright"}
    assert send(client, "get", f"{path}mine/").status_code == 404
    assert send(client, "put", f"{path}mine/", body).status_code == 201
    again = send(client, "put", f"{path}mine/", body | {"rating": 2})
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert send(Client(), "get", path).json()["count"] == 0
    Review.objects.update(is_approved=True)
    [shown] = send(Client(), "get", path).json()["results"]
    assert (shown["rating"], shown["is_bought"], shown["author"]) == (2, True, "A customer")
    assert send(Client(), "get", f"{path}?rating=5").json()["count"] == 0
    assert send(Client(), "get", f"{path}?rating=x").status_code == 400
    assert send(client, "delete", f"{path}mine/").status_code == 204
    assert send(client, "delete", f"{path}mine/").status_code == 404


def test_who_did_not_buy_cannot_write(db: None) -> None:
    path = f"/products/{make_variant(units=1).product.slug}/reviews/mine/"
    body = {"rating": 5, "title": "Bright"}
    assert send(Client(), "put", path, body).status_code == 401
    answer = send(signed_in(make_user()), "put", path, body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_bought")


def by_token(user: User) -> dict[str, str]:
    return {"Authorization": f"Token {Token.objects.create(user=user).key}"}


def test_an_account_orders_its_cart_once_however_often_it_asks(transactional_db: None) -> None:
    user, variant, later = make_user(), make_variant(units=3), make_variant(units=3)
    cart = Cart.objects.create(user=user)
    cart.lines.create(variant=variant, quantity=2)
    cart.lines.create(variant=later, is_saved=True)
    headers = by_token(user) | {"Idempotency-Key": "one"}
    first, again = (send(Client(), "post", "/orders/", ORDER, **headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["total"]) == ("paid", "200.00")
    assert Order.objects.get().user == user
    assert [line.variant for line in cart.lines.all()] == [later]


def test_an_answer_that_was_lost_is_found_by_the_attempt(transactional_db: None) -> None:
    """The process died after the order and before its answer was kept."""
    user = make_user()
    Cart.objects.create(user=user).lines.create(variant=make_variant(units=3))
    headers = by_token(user) | {"Idempotency-Key": "one"}
    first = send(Client(), "post", "/orders/", ORDER, **headers)
    IdempotentAnswer.objects.all().delete()
    again = send(Client(), "post", "/orders/", ORDER, **headers)
    assert again.json()["reference"] == first.json()["reference"]
    assert Order.objects.count() == 1


def test_a_guest_orders_with_an_address_for_mail(transactional_db: None) -> None:
    client = Client()
    add(client, make_variant(units=3))
    assert send(client, "post", "/orders/", ORDER).json()["errors"][0]["pointer"] == "#/email"
    placed = send(client, "post", "/orders/", ORDER | {"email": "ada@example.com"})
    order = Order.objects.get()
    assert (placed.status_code, order.user, order.email) == (201, None, "ada@example.com")
    assert client.get(placed.json()["url"]).status_code == 200
    assert Client().get(placed.json()["url"]).status_code == 404


def test_two_guests_with_the_same_key_get_an_order_each(transactional_db: None) -> None:
    references = set()
    for email in ("ada@example.com", "ada@example.com"):
        client = Client()
        add(client, make_variant(units=3))
        body = ORDER | {"email": email}
        placed = send(client, "post", "/orders/", body, **{"Idempotency-Key": "same"})
        references.add(placed.json()["reference"])
    assert len(references) == 2


def test_orders_that_cannot_be_placed_say_why_and_keep_the_cart(db: None) -> None:
    user = make_user()
    client = signed_in(user)
    empty = send(client, "post", "/orders/", ORDER)
    assert (empty.status_code, empty.json()["code"]) == (409, "cart_empty")
    variant = make_variant(units=2)
    add(client, variant, 2)
    dearer = send(client, "post", "/orders/", ORDER | {"agreed_total": "199.00"})
    assert (dearer.status_code, dearer.json()["code"]) == (409, "total_changed")
    stock.adjust(sku=variant.sku, change=-1, reason="broken")
    short = send(client, "post", "/orders/", ORDER)
    assert (short.status_code, short.json()["code"]) == (409, "sold_out")
    assert not Order.objects.exists()
    assert CartLine.objects.get().quantity == 2
