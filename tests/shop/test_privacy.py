"""All that is known about a person is given out, and goes when they go."""

import json
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import ManyToOneRel, Model, OneToOneRel
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token

from inventory import reservations, stock
from shop import orders, privacy, reviews, stock_alerts
from shop.models import (
    Address,
    Cart,
    Invoice,
    Order,
    OutgoingMail,
    Review,
    StockAlert,
    User,
    Variant,
    Wish,
)
from shop.privacy import Deleted, NotNow
from tests.factories import make_user, make_variant, prove_address
from tests.shop.ordering import captured_order, make_order, signed_in

pytestmark = pytest.mark.django_db

PASSWORD = "kelp and salt 9"
NAME, EMAIL = "Ada Quillfeather", "quill@example.com"
DELETE = "/account/privacy/delete/"
#: Tables that come to a person's rows by a way that is not theirs: what is for sale, and who works here.
NOT_THEIRS = {"shop.user_groups", "shop.user_user_permissions"}


def linked(model: type[Model]) -> Iterator[type[Model]]:
    """Every table that points at a table, and so on."""
    seen: set[type[Model]] = set()
    todo: list[type[Model]] = [model]
    while todo:
        for relation in todo.pop()._meta.get_fields(include_hidden=True):
            if not isinstance(relation, ManyToOneRel | OneToOneRel):
                continue
            pointing: Any = relation.related_model
            if pointing not in seen:
                seen.add(pointing)
                todo.append(pointing)
                yield pointing


def forgotten() -> set[str]:
    named = {part.model for part in privacy.parts()}
    tables = {table for table in linked(User) if table not in named}
    return {table._meta.label_lower for table in tables} - NOT_THEIRS


def test_no_table_with_a_link_to_a_person_is_forgotten() -> None:
    assert forgotten() == set()
    assert {table._meta.label_lower for table in linked(User)} > {
        "shop.order", "shop.lineitem", "flashsale.purchase", "authtoken.token",
    }  # fmt: skip


def test_a_forgotten_table_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    parts = [part for part in privacy.parts() if part.model is not Wish]
    monkeypatch.setattr(privacy, "parts", lambda: parts)
    assert forgotten() == {"shop.wish"}


def shopper() -> User:
    """Somebody with a row in most tables, and a shipped order."""
    user = make_user(email=EMAIL, name=NAME, password=PASSWORD)
    variant, gone = make_variant(units=9), make_variant(units=0)
    address = {"recipient": NAME, "street": "7 Inkwell Row", "postcode": "1", "city": "Kiel"}
    Address.objects.create(user=user, country="DE", **address)
    order = captured_order(variant, user=user)
    Order.objects.filter(pk=order.pk).update(note="for Quillfeather", **address)
    Invoice.objects.update(recipient=f"{NAME}\n7 Inkwell Row")
    order.refresh_from_db()
    orders.fulfil(order=order, actor="staff@example.com")
    Cart.objects.create(user=user).lines.create(variant=variant)
    Wish.objects.create(user=user, product=variant.product)
    reviews.write(user=user, product=variant.product, rating=5, title="Fine", body="Quill")
    stock_alerts.ask(variant=gone, email="", user=user)
    Token.objects.create(user=user)
    prove_address(user)
    return user


def test_the_copy_holds_all_of_it_and_no_secret() -> None:
    user = shopper()
    answer = signed_in(user).post("/account/privacy/export/")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    found = json.loads(answer.content)
    for label in (
        "address",
        "order",
        "lineitem",
        "invoice",
        "cart",
        "cartline",
        "wish",
        "review",
        "stockalert",
    ):
        assert len(found[f"shop.{label}"]) == 1, label
    assert found["shop.user"][0]["email"] == EMAIL
    assert found["shop.invoice"][0]["recipient"] == f"{NAME}\n7 Inkwell Row"
    text = answer.content.decode()
    assert "7 Inkwell Row" in text
    assert user.password not in text
    assert Token.objects.get().key not in text


def offered_to_a_guest() -> str:
    """A guest waits for something, and it came in: the link that leads to it."""
    variant = make_variant(units=0)
    stock_alerts.ask(variant=variant, email="guest@example.com", user=None)
    stock_alerts.confirm(StockAlert.objects.get(variant=variant))
    stock.receive(sku=variant.sku, quantity=1)
    assert stock_alerts.offer_what_came_in() == 1
    context = OutgoingMail.objects.get(template="stock_offer").context
    return str(context["offer_url"])


def test_the_copy_opens_nothing_and_needs_an_address_that_was_proved() -> None:
    link = offered_to_a_guest()
    stranger = make_user(email="guest@example.com")
    refused = signed_in(stranger).post("/account/privacy/export/")
    assert (refused.status_code, refused.headers["Location"]) == (302, "/accounts/email/")
    prove_address(stranger)
    found = signed_in(stranger).post("/account/privacy/export/").content.decode()
    assert "guest@example.com" in json.loads(found)["shop.stockalert"][0]["email"]
    assert link not in found


def test_the_copy_holds_nobody_else_s_rows() -> None:
    shopper()
    other = make_user(email="other@example.com")
    text = json.dumps(privacy.export(other))
    assert EMAIL not in text
    assert NAME not in text


def rows_that_say(word: str) -> list[str]:
    """Every row of every table, as text, that has a word in it."""
    found = []
    for model in apps.get_models():
        if model._meta.label_lower == "sessions.session":
            continue
        for row in model._default_manager.all():
            values = [str(field.value_from_object(row)) for field in row._meta.concrete_fields]
            if any(word.lower() in value.lower() for value in values):
                found.append(f"{model._meta.label_lower} {row.pk}")
    return found


@pytest.mark.django_db(transaction=True)
def test_nothing_in_any_table_says_who_it_was_afterwards() -> None:
    user = shopper()
    order = user.orders.get()
    assert rows_that_say("quill")  # the control
    assert isinstance(privacy.delete(user), Deleted)
    # The law asks that an invoice stays as it was issued.
    kept = [f"shop.invoice {order.invoice.pk}"]
    assert rows_that_say("quill") == rows_that_say("inkwell") == kept
    order.refresh_from_db()
    assert (order.total, order.state, str(order.country)) == (Decimal(100), "fulfilled", "DE")
    assert Invoice.objects.filter(order=order).exists()
    for model in (Address, Cart, Wish, Review, StockAlert, Token):
        assert not model._default_manager.exists(), model
    call_command("audit", stdout=StringIO())


def test_nobody_can_sign_in_again_with_anything() -> None:
    user = make_user(password=PASSWORD)
    client, elsewhere = signed_in(user), signed_in(user)
    token = Token.objects.create(user=user).key
    answer = client.post(DELETE, {"password": PASSWORD}, follow=True)
    assert "Your account is gone" in answer.content.decode()
    for browser in (client, elsewhere):
        assert browser.get("/account/").status_code == 302
    fresh = Client()
    fresh.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert fresh.get("/account/").status_code == 302
    orders_url, bearer = "/api/v1/orders/", {"Authorization": f"Token {token}"}
    assert Client().get(orders_url, headers=bearer).status_code == 401
    assert not User.objects.filter(email=user.email).exists()


def test_deleting_asks_for_the_password() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in(user)
    for password in ("", "wrong"):
        assert client.post(DELETE, {"password": password}).status_code == 422
    assert User.objects.filter(email=user.email, is_active=True).exists()
    assert Client().post(DELETE, {"password": PASSWORD}).status_code == 302


def refused(user: User) -> list[str]:
    outcome = privacy.delete(user)
    assert isinstance(outcome, NotNow)
    assert User.objects.get(pk=user.pk).is_active
    return list(outcome.reasons)


def test_an_unpaid_order_stands_in_the_way_until_it_is_cancelled() -> None:
    user = make_user(password=PASSWORD)
    order = make_order(user=user)
    assert refused(user) == ["An order waits for its payment. Pay or cancel it first."]
    page = signed_in(user).post(DELETE, {"password": PASSWORD})
    assert page.status_code == 409
    assert "An order waits for its payment." in page.content.decode()
    orders.cancel(order=order, actor="", reason="")
    assert isinstance(privacy.delete(user), Deleted)


def test_a_paid_order_has_to_be_shipped_first() -> None:
    user = make_user()
    captured_order(user=user)
    assert refused(user) == ["An order that you paid is not shipped yet: we need the address."]


def test_a_unit_that_is_held_stands_in_the_way() -> None:
    user, variant = make_user(), make_variant(units=0)
    stock_alerts.ask(variant=variant, email="", user=user)
    stock.receive(sku=variant.sku, quantity=1)
    stock_alerts.offer_what_came_in()
    assert refused(user) == ["Something is held for you. Order it or let it go first."]
    held = StockAlert.objects.get().offers.get().reservation_id
    reservations.release(reservation_ids=[held], reason="test")
    assert isinstance(privacy.delete(user), Deleted)


def test_somebody_who_works_here_cannot_vanish() -> None:
    assert refused(make_user(is_staff=True)) == ["This account works here. Ask a superuser."]


def test_mails_to_come_about_a_kept_order_go_nowhere() -> None:
    user = shopper()
    order = user.orders.get()
    privacy.delete(user)
    order.refresh_from_db()
    orders.record(order=order, kind="refunded", message="Refunded.")
    assert set(OutgoingMail.objects.values_list("to", flat=True)) == {""}


def test_orders_are_found_by_reference_and_by_what_is_in_them() -> None:
    user = make_user()
    first, second = make_order(user=user), make_order(user=user)
    make_order()
    client = signed_in(user)

    def found(query: str) -> list[Order]:
        return list(client.get("/account/", {"q": query}).context["orders"])

    assert found("") == [second, first]
    assert found(first.reference.lower()[:9]) == [first]
    assert found(second.line_items.get().name) == [second]
    assert found("nothing") == []


def test_account_pages_take_as_many_queries_for_many_rows_as_for_few(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    user = make_user()
    client = signed_in(user)
    for rows in (1, 5):
        while Review.objects.count() < rows:
            variant: Variant = make_variant(units=0)
            Review.objects.create(product=variant.product, user=user, rating=5, title="So")
            stock_alerts.ask(variant=variant, email="", user=user)
            make_order(user=user)
        for url in ("/account/", "/account/alerts/", "/account/reviews/", "/account/privacy/"):
            with django_assert_max_num_queries(8):
                assert client.get(url).status_code == 200
    assert "So" in client.get("/account/reviews/").content.decode()
