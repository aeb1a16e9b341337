from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from flashsale import store
from flashsale.keys import key
from flashsale.models import Sale, SaleItem
from flashsale.sales import SaleInfo
from inventory import stock
from inventory.models import Stock, StockMovement
from shop.models import User
from tests.factories import make_draft, make_sale, make_user
from tests.flashsale.test_audit import buy
from tests.inventory.test_admin import messages_of, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def merchant(client: Client, settings: Settings) -> User:
    return sign_in(client, settings, group="Merchants")


@pytest.fixture
def sale() -> SaleInfo:
    """Two items of three units each, and five more of the first in the main pool."""
    sale = make_sale(units=3, items=2)
    stock.receive(sku=sale.items[0].sku, quantity=5)
    return sale


def url(sale: SaleInfo | Sale) -> str:
    pk = sale.pk if isinstance(sale, Sale) else sale.id
    return reverse("admin:flashsale_sale_units", args=[pk])


def send(client: Client, sale: SaleInfo, *, change: object, seen: object = 3) -> Any:
    item = sale.items[0].id
    form = {"item": item, f"item-{item}-change": change, f"item-{item}-seen": seen}
    return client.post(url(sale), form, follow=True)


def errors_of(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["rows"][0].form.errors)


def units(sale: SaleInfo) -> int:
    return SaleItem.objects.get(pk=sale.items[0].id).units


def test_the_page_is_reached_from_the_sale_and_tells_every_items_numbers(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    buy(sale, make_user())
    change = client.get(reverse("admin:flashsale_sale_change", args=[sale.id])).content.decode()
    assert f'<a href="{url(sale)}">Change units</a>' in change
    page = client.get(url(sale)).content.decode()
    assert "3 units in the sale: 1 promised, 2 free. 5 free in the main pool." in page
    assert "3 units in the sale: 0 promised, 3 free. 0 free in the main pool." in page


def test_more_units_reach_the_sale_the_gate_and_the_record(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    answer = send(client, sale, change=4)
    item = SaleItem.objects.get(pk=sale.items[0].id)
    said = f"{item.variant}: +4 units; the sale has 7 now."
    assert messages_of(answer) == [said]
    assert item.units == 7
    assert store.client().hget(key(sale.id, "gate"), f"free:{item.pk}") == "7"
    assert LogEntry.objects.get().get_change_message() == said
    assert set(
        StockMovement.objects.filter(kind="transfer", actor=merchant.email).values_list(
            "on_hand_change", flat=True
        )
    ) == {-4, 4}


def test_fewer_units_than_are_promised_are_refused_with_the_number(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    buy(sale, make_user())
    answer = send(client, sale, change=-3)
    sku = sale.items[0].sku
    assert errors_of(answer) == {
        "change": [
            f"1 unit is promised to shoppers, so at most 2 of {sku} can be taken away, not 3."
        ]
    }
    assert units(sale) == 3


def test_more_units_than_are_free_are_refused_with_the_number(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    answer = send(client, sale, change=6)
    sku = sale.items[0].sku
    assert errors_of(answer) == {"change": [f"{sku} has 5 free units in main; 6 would be needed."]}
    assert units(sale) == 3


@pytest.mark.parametrize("change", [0, "", "x", "1.5", 10**30, -(10**30)])
def test_a_change_that_makes_no_sense_is_explained_and_changes_nothing(
    client: Client, merchant: User, sale: SaleInfo, change: object
) -> None:
    assert list(errors_of(send(client, sale, change=change))) == ["change"]
    assert units(sale) == 3


def test_a_form_that_is_sent_twice_changes_the_units_once(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    send(client, sale, change=2)
    answer = send(client, sale, change=2)
    assert "were changed meanwhile: the sale has 5 now" in messages_of(answer)[0]
    assert answer.context["rows"][0].form.initial == {"seen": 5}
    assert units(sale) == 5


def test_control_a_form_that_saw_the_new_units_changes_them_again(
    client: Client, merchant: User, sale: SaleInfo
) -> None:
    send(client, sale, change=2)
    send(client, sale, change=2, seen=5)
    assert units(sale) == 7


@pytest.mark.parametrize("kind", ["a draft", "ended"])
def test_a_sale_that_is_not_current_has_no_such_page(
    client: Client, merchant: User, kind: str
) -> None:
    sale = make_draft()
    if kind == "ended":
        sale.status = Sale.Status.ENDED
        sale.save()
    change = reverse("admin:flashsale_sale_change", args=[sale.pk])
    assert url(sale) not in client.get(change).content.decode()
    answer = client.get(url(sale), follow=True)
    assert messages_of(answer) == [
        f"The units of {sale} cannot be changed: it is not a current sale."
    ]


def test_another_sales_item_is_not_found(client: Client, merchant: User, sale: SaleInfo) -> None:
    other = make_sale()
    item = other.items[0].id
    form = {"item": item, f"item-{item}-change": -1, f"item-{item}-seen": 3}
    assert client.post(url(sale), form).status_code == 404
    assert units(other) == 3


def test_staff_do_not_change_units(client: Client, settings: Settings, sale: SaleInfo) -> None:
    sign_in(client, settings, group="Staff")
    change = reverse("admin:flashsale_sale_change", args=[sale.id])
    assert url(sale) not in client.get(change).content.decode()
    assert client.get(url(sale)).status_code == 403
    assert send(client, sale, change=1).status_code == 403
    assert units(sale) == 3
    assert Stock.objects.get(sku=sale.items[0].sku, pool="main").on_hand == 5
