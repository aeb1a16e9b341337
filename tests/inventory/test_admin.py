from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from inventory import stock
from inventory.models import Reservation, Stock, StockMovement
from inventory.reservations import Want, reserve
from shop import accounts
from shop.models import Category, Product, User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def sign_in(client: Client, settings: Settings, *, group: str) -> User:
    settings.STAFF_SECOND_FACTOR = False
    accounts.ensure_groups()
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return user


@pytest.fixture
def merchant(client: Client, settings: Settings) -> User:
    return sign_in(client, settings, group="Merchants")


@pytest.fixture
def staff(client: Client, settings: Settings) -> User:
    return sign_in(client, settings, group="Staff")


def hold(units: int, *, sku: str = "MUG") -> None:
    reserve(key=uuid4(), wants=[Want(sku, units)], holder="a", seconds=60)


def step_url(row: Stock, name: str) -> str:
    return reverse("admin:inventory_stock_step", args=[row.pk, name])


def take_step(client: Client, row: Stock, name: str, **form: Any) -> Any:
    return client.post(step_url(row, name), {"seen": stock.last_count(row)} | form, follow=True)


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def found(answer: Any) -> list[Any]:
    return list(answer.context["cl"].result_list)


@pytest.mark.usefixtures("merchant")
def test_the_list_shows_the_counters_and_finds_by_sku_and_kind_of_pool(client: Client) -> None:
    mugs = stock.receive(sku="MUG", quantity=7)
    hold(2)
    stock.receive(sku="VASE", quantity=5)
    stock.transfer(sku="VASE", quantity=5, source="main", target="sale:1", reason="sale")
    url = reverse("admin:inventory_stock_changelist")
    page = client.get(url, {"q": "mug"})
    assert found(page) == [mugs]
    for name, number in [("on_hand", 7), ("allocated", 2), ("available", 5)]:
        assert f'<td class="field-{name}">{number}</td>' in page.content.decode()
    assert [row.pool for row in found(client.get(url, {"pool_kind": "ring-fenced"}))] == ["sale:1"]
    assert {row.sku for row in found(client.get(url, {"pool_kind": "main"}))} == {"MUG", "VASE"}


@pytest.mark.usefixtures("merchant")
def test_counters_are_not_edited_and_rows_neither_added_nor_deleted(client: Client) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    change = reverse("admin:inventory_stock_change", args=[row.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"on_hand": 99}).status_code == 403
    assert client.get(reverse("admin:inventory_stock_add")).status_code == 403
    assert client.get(reverse("admin:inventory_stock_delete", args=[row.pk])).status_code == 403
    assert Stock.objects.get().on_hand == 7


def test_received_units_are_on_hand_and_the_movement_says_why_and_by_whom(
    client: Client, merchant: User
) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    assert client.get(step_url(row, "receive")).status_code == 200
    answer = take_step(client, row, "receive", units=5, reason="delivery 12")
    assert messages_of(answer) == ["Received: +5 of MUG."]
    assert Stock.objects.get().on_hand == 12
    movement = StockMovement.objects.latest("pk")
    assert (movement.kind, movement.on_hand_change) == ("receive", 5)
    assert (movement.reason, movement.actor) == ("delivery 12", merchant.email)
    assert LogEntry.objects.get().get_change_message() == "Received: +5 of MUG. delivery 12"


def test_a_count_is_corrected_both_ways_with_a_reason(client: Client, merchant: User) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    take_step(client, row, "correct", units=-3, reason="broken")
    take_step(client, row, "correct", units=1, reason="found behind the shelf")
    assert Stock.objects.get().on_hand == 5
    kept = StockMovement.objects.filter(kind="adjust").order_by("pk")
    assert list(kept.values_list("on_hand_change", "reason", "actor")) == [
        (-3, "broken", merchant.email),
        (1, "found behind the shelf", merchant.email),
    ]


@pytest.mark.parametrize(("name", "units"), [("receive", 5), ("correct", -5)])
@pytest.mark.usefixtures("merchant")
def test_a_form_that_is_sent_twice_counts_once(client: Client, name: str, units: int) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    page = client.get(step_url(row, name))
    form = page.context["form"]
    assert f'name="seen" value="{form["seen"].value()}"' in page.content.decode()
    typed = {"seen": form["seen"].value(), "units": units, "reason": "delivery 12"}
    take_step(client, row, name, **typed)
    answer = take_step(client, row, name, **typed)
    assert messages_of(answer) == [
        f"The count of MUG was changed meanwhile: {7 + units} are on hand now. If that was you, it is done; else look "
        "again before you change it."
    ]
    assert Stock.objects.get().on_hand == 7 + units
    assert LogEntry.objects.count() == 1
    # What is sold meanwhile is no reason to look again, and neither is what is on the page of another one.
    hold(1)
    stock.receive(sku="VASE", quantity=1)
    take_step(client, row, name, **typed | {"seen": stock.last_count(row), "units": 1})
    assert Stock.objects.get(sku="MUG").on_hand == 8 + units


@pytest.mark.usefixtures("merchant")
def test_a_count_below_what_is_promised_is_refused_with_the_number_promised(client: Client) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    hold(4)
    answer = take_step(client, row, "correct", units=-4, reason="broken")
    assert answer.context["form"].errors == {
        "units": [
            "MUG has 3 free units in main, because 4 of its 7 are promised; 4 would be needed."
        ]
    }
    assert Stock.objects.get().on_hand == 7
    assert StockMovement.objects.filter(kind="adjust").count() == 0
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("name", "form", "field"),
    [
        ("receive", {"units": 0}, "units"),
        ("receive", {"units": -1}, "units"),
        ("receive", {"units": "x"}, "units"),
        ("receive", {"units": 10**30}, "units"),
        ("correct", {"units": 0, "reason": "?"}, "units"),
        ("correct", {"units": -(10**30), "reason": "?"}, "units"),
        ("correct", {"units": -1, "reason": " "}, "reason"),
    ],
)
@pytest.mark.usefixtures("merchant")
def test_a_step_that_makes_no_sense_is_explained_and_changes_nothing(
    client: Client, name: str, form: dict[str, object], field: str
) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    answer = take_step(client, row, name, **form)
    assert list(answer.context["form"].errors) == [field]
    assert Stock.objects.get().on_hand == 7
    assert StockMovement.objects.count() == 1


@pytest.mark.usefixtures("merchant")
def test_ring_fenced_units_have_no_steps_and_the_page_says_where_they_are_changed(
    client: Client,
) -> None:
    row = stock.receive(sku="MUG", quantity=7, pool="sale:1")
    page = client.get(reverse("admin:inventory_stock_change", args=[row.pk])).content.decode()
    assert "/step/" not in page
    assert "These units are ring-fenced." in page
    assert take_step(client, row, "receive", units=1).status_code == 404
    assert Stock.objects.get().on_hand == 7


@pytest.mark.usefixtures("staff")
def test_staff_look_and_take_no_step(client: Client) -> None:
    row = stock.receive(sku="MUG", quantity=7)
    page = client.get(reverse("admin:inventory_stock_change", args=[row.pk]))
    assert page.status_code == 200
    assert "/step/" not in page.content.decode()
    assert client.get(step_url(row, "receive")).status_code == 403
    assert take_step(client, row, "receive", units=1).status_code == 403
    assert Stock.objects.get().on_hand == 7


@pytest.mark.usefixtures("staff")
def test_movements_and_reservations_are_found_filtered_and_read_only(client: Client) -> None:
    mugs = stock.receive(sku="MUG", quantity=7, reason="delivery 12", actor="ada@example.com")
    stock.receive(sku="VASE", quantity=2, pool="sale:1")
    key = uuid4()
    reserve(key=key, wants=[Want("MUG", 2)], holder="somebody", seconds=60)
    movements = reverse("admin:inventory_stockmovement_changelist")
    for query in ({"q": "delivery 12"}, {"q": "ada@"}, {"kind": "receive", "pool_kind": "main"}):
        assert [row.stock for row in found(client.get(movements, query))] == [mugs]
    assert len(found(client.get(movements, {"stock__id__exact": mugs.pk}))) == 2
    reservations = reverse("admin:inventory_reservation_changelist")
    (row,) = Reservation.objects.all()
    for query in ({"q": str(key)}, {"q": "somebody"}, {"q": "MUG"}, {"state": "held"}):
        assert found(client.get(reservations, query)) == [row]
    assert found(client.get(reservations, {"pool_kind": "ring-fenced"})) == []
    for name, pk in (
        ("stockmovement", StockMovement.objects.latest("pk").pk),
        ("reservation", row.pk),
    ):
        change = reverse(f"admin:inventory_{name}_change", args=[pk])
        assert client.get(change).status_code == 200
        assert client.post(change, {"quantity": 1}).status_code == 403
        assert client.get(reverse(f"admin:inventory_{name}_add")).status_code == 403


@pytest.mark.usefixtures("merchant")
@pytest.mark.parametrize("name", ["stock", "stockmovement", "reservation"])
def test_a_list_costs_the_same_queries_however_many_rows_there_are(
    client: Client, django_assert_max_num_queries: Any, name: str
) -> None:
    for number in range(6):
        stock.receive(sku=f"MUG-{number}", quantity=7)
        hold(1, sku=f"MUG-{number}")
    url = reverse(f"admin:inventory_{name}_changelist")
    with django_assert_max_num_queries(8):
        page = client.get(url)
    assert len(found(page)) >= 6


@pytest.mark.usefixtures("merchant")
def test_a_new_variant_has_a_stock_row_where_units_are_received(client: Client) -> None:
    category = Category.objects.create(slug="lamps", name="Lamps")
    form = {
        "category": category.pk,
        "name": "New lamp",
        "slug": "new-lamp",
        "tax_class": "standard",
        "summary": "Gives light.",
        "variants-TOTAL_FORMS": 1,
        "variants-INITIAL_FORMS": 0,
        "variants-0-sku": "NEW-LAMP",
        "variants-0-price": "10.00",
        "variants-0-weight_grams": 500,
        "variants-0-position": 0,
        "variants-0-is_active": "on",
        "images-TOTAL_FORMS": 0,
        "images-INITIAL_FORMS": 0,
    }
    client.post(reverse("admin:shop_product_add"), form)
    assert Product.objects.get().variants.get().sku == "NEW-LAMP"
    row = Stock.objects.get()
    assert (row.sku, row.pool, row.on_hand) == ("NEW-LAMP", "main", 0)
    assert not StockMovement.objects.exists()
