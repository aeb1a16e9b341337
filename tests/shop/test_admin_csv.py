"""Tables in the admin: a preview first, a file as a whole, and stock by its movements alone."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import NoReverseMatch, reverse
from import_export.tmp_storages import CacheStorage
from pytest_django import Settings

from inventory import stock
from inventory.models import Stock, StockMovement
from shop.models import Category, Order, Product, User, Variant
from tests.factories import make_variant
from tests.shop.ordering import make_order, staff

pytestmark = pytest.mark.django_db

PRODUCT, VARIANT, STOCK = "/admin/shop/product/", "/admin/shop/variant/", "/admin/inventory/stock/"


@pytest.fixture(autouse=True)
def one_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.fixture
def merchant() -> Client:
    return staff(
        "view_product", "change_product", "view_variant", "change_variant", "view_stock",
        "change_stock", "view_order",
    )  # fmt: skip


def table(*rows: dict[str, Any]) -> SimpleUploadedFile:
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return SimpleUploadedFile("table.csv", text.getvalue().encode(), content_type="text/csv")


def preview(client: Client, url: str, *rows: dict[str, Any]) -> Any:
    return client.post(f"{url}import/", {"import_file": table(*rows), "format": "0"})


def bring_in(client: Client, url: str, *rows: dict[str, Any]) -> Any:
    shown = preview(client, url, *rows)
    return client.post(f"{url}process_import/", shown.context["confirm_form"].initial)


def exported(client: Client, url: str, fields: list[str]) -> list[dict[str, str]]:
    chosen = {
        f"{'orderresource' if 'order' in url else 'stockresource'}_{name}": "on" for name in fields
    }
    answer = client.post(f"{url}export/", {"format": "0", "resource": "0"} | chosen)
    return list(csv.DictReader(StringIO(answer.content.decode())))


def row_of(product: Product, **more: Any) -> dict[str, Any]:
    return {
        "slug": product.slug, "name": product.name, "category": "lamps", "summary": "Gives light.",
    } | more  # fmt: skip


def test_a_preview_shows_and_changes_nothing(merchant: Client) -> None:
    product = make_variant().product
    page = preview(merchant, PRODUCT, row_of(product, name="Renamed"))
    assert page.status_code == 200
    assert "Renamed" in page.content.decode()
    product.refresh_from_db()
    assert product.name != "Renamed"


def test_products_and_variants_are_changed_and_made(merchant: Client) -> None:
    known = make_variant().product
    new = {"slug": "new-lamp", "name": "New lamp", "category": "lamps", "summary": "Newer."}
    assert bring_in(merchant, PRODUCT, row_of(known, name="Renamed"), new).status_code == 302
    assert set(Product.objects.values_list("name", flat=True)) == {"Renamed", "New lamp"}
    variant = {"sku": "NEW-1", "product": "new-lamp", "name": "Oat", "price": "19.90"}
    assert bring_in(merchant, VARIANT, variant).status_code == 302
    assert Variant.objects.get(sku="NEW-1").product.slug == "new-lamp"
    assert Stock.objects.get(sku="NEW-1").on_hand == 0


@pytest.mark.parametrize(
    "bad",
    [{"category": "nothing"}, {"tax_class": "luxury"}, {"slug": "no slug"}, {"name": ""}],
)
def test_one_bad_row_and_nothing_is_taken(merchant: Client, bad: dict[str, str]) -> None:
    product = make_variant().product
    other = {
        "slug": "second",
        "name": "Second",
        "category": "lamps",
        "summary": "x",
        "tax_class": "standard",
    }
    page = preview(
        merchant, PRODUCT, row_of(product, name="Renamed", tax_class="standard"), other | bad
    )
    assert "confirm_form" not in page.context or not page.context["confirm_form"]
    assert Product.objects.count() == 1
    product.refresh_from_db()
    assert product.name != "Renamed"


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_file_that_is_confirmed_twice_counts_once(
    merchant: Client, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    if when == "at once":  # the second one comes before the first one has put the file away
        monkeypatch.setattr(CacheStorage, "remove", lambda storage: None)
    sku = make_variant(units=5).sku
    form = preview(merchant, STOCK, {"sku": sku, "change": "7"}).context["confirm_form"].initial
    merchant.post(f"{STOCK}process_import/", form)
    again = merchant.post(f"{STOCK}process_import/", form, follow=True)
    assert "This file was taken before" in again.content.decode()
    assert Stock.objects.get(sku=sku).on_hand == 12
    bring_in(merchant, STOCK, {"sku": sku, "change": "7"})
    assert Stock.objects.get(sku=sku).on_hand == 19


def test_what_went_bad_after_the_preview_takes_nothing_either(merchant: Client) -> None:
    first, second = make_variant(units=5), make_variant(units=5)
    rows = [
        {"sku": first.sku, "change": "7", "reason": "delivery"},
        {"sku": second.sku, "change": "-5", "reason": "broken"},
    ]
    shown = preview(merchant, STOCK, *rows)
    make_order(second)  # promised meanwhile
    form = shown.context["confirm_form"].initial
    answer = merchant.post(f"{STOCK}process_import/", form, follow=True).content.decode()
    assert "5 would be needed" in answer
    assert "Nothing of the file was taken." in answer
    assert "Import finished" not in answer
    assert set(Stock.objects.values_list("on_hand", flat=True)) == {5}


def test_stock_changes_with_a_movement_by_whoever_brought_the_file(merchant: Client) -> None:
    more, fewer, same = (make_variant(units=5) for _ in range(3))
    before = StockMovement.objects.count()
    bring_in(
        merchant, STOCK,
        {"sku": more.sku, "change": "7", "reason": "delivery 12", "on_hand": "999"},
        {"sku": fewer.sku, "change": "-2", "reason": "broken", "on_hand": ""},
        {"sku": same.sku, "change": "", "reason": "", "on_hand": "4"},
    )  # fmt: skip
    units = dict(Stock.objects.values_list("sku", "on_hand"))
    assert units == {more.sku: 12, fewer.sku: 3, same.sku: 5}
    made = StockMovement.objects.order_by("pk")[before:]
    assert [(row.kind, row.on_hand_change, row.reason) for row in made] == [
        ("receive", 7, "delivery 12"),
        ("adjust", -2, "broken"),
    ]
    assert {row.actor for row in made} == {User.objects.get(is_staff=True).email}


@pytest.mark.parametrize(
    ("change", "sku", "pool", "why"),
    [("many", None, "", "whole number"), ("1", "NOTHING", "", "There is no stock"),
     ("-9", None, "", "would be needed"), ("1", None, "sale:1", "on the sale")],
)  # fmt: skip
def test_bad_rows_of_stock_say_what_is_wrong(
    merchant: Client, change: str, sku: str | None, pool: str, why: str
) -> None:
    variant = make_variant(units=5)
    stock.transfer(sku=variant.sku, quantity=1, source="main", target="sale:1", reason="test")
    row = {"sku": sku or variant.sku, "pool": pool, "change": change, "reason": ""}
    page = preview(merchant, STOCK, row)
    assert why in page.content.decode()
    assert not page.context.get("confirm_form")
    assert Stock.objects.get(pool="main").on_hand == 4


def test_what_is_exported_of_stock_can_be_filled_in_and_imported(merchant: Client) -> None:
    variant = make_variant(units=5)
    [row] = exported(merchant, STOCK, ["sku", "pool", "on_hand", "available", "change", "reason"])
    assert (row["sku"], row["on_hand"], row["change"]) == (variant.sku, "5", "")
    bring_in(merchant, STOCK, row | {"change": "3"})
    assert Stock.objects.get().on_hand == 8


def test_orders_are_exported_and_never_imported(merchant: Client) -> None:
    order = make_order()
    Order.objects.update(recipient="=HYPERLINK(1)")
    [row] = exported(merchant, "/admin/shop/order/", ["reference", "recipient", "total"])
    assert (row["reference"], row["total"]) == (order.reference, "100.00")
    assert not row["recipient"].startswith("=")
    with pytest.raises(NoReverseMatch):
        reverse("admin:shop_order_import")


def test_who_may_only_look_imports_nothing() -> None:
    Category.objects.create(name="Lamps", slug="lamps")
    for url, permission in ((PRODUCT, "view_product"), (STOCK, "view_stock")):
        client = staff(permission)
        assert client.get(f"{url}import/").status_code == 403
        assert client.get(f"{url}export/").status_code == 200
    assert staff("view_variant").get("/admin/shop/order/export/").status_code == 403
