"""Goods in the back office."""

import pytest
from django.test import Client
from pytest_django import Settings

from shop.models import Variant
from tests.factories import make_variant
from tests.shop.ordering import staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def merchant(settings: Settings) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    return staff("view_product", "change_product", "view_variant", "change_variant", "add_variant")


def fields(*rows: dict[str, object], existing: int) -> dict[str, object]:
    """What the page of a product sends."""
    sent: dict[str, object] = {}
    for prefix, number, initial in (("variants", len(rows), existing), ("images", 0, 0)):
        sent |= {f"{prefix}-TOTAL_FORMS": number, f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        sent |= {f"variants-{number}-{name}": value for name, value in row.items()}
    return sent


def test_a_sku_that_stock_and_orders_know_stays_and_a_new_one_is_chosen(merchant: Client) -> None:
    variant = make_variant(units=3)
    product = variant.product
    url = f"/admin/shop/product/{product.pk}/change/"
    both = {"price": "9.00", "weight_grams": 100, "position": 0, "is_active": "on"}
    answer = merchant.post(
        url,
        {
            "category": product.category_id,
            "name": product.name,
            "slug": product.slug,
            "summary": "Short",
            "description": "Long",
            "tax_class": product.tax_class,
            "is_published": "on",
        }
        | fields(
            both | {"id": variant.pk, "product": product.pk, "sku": "OTHER", "name": "Kept"},
            both | {"product": product.pk, "sku": "NEW", "name": "Added"},
            existing=1,
        ),
    )
    assert answer.status_code == 302, answer.context["errors"]
    assert set(product.variants.values_list("sku", "name")) == {
        (variant.sku, "Kept"),
        ("NEW", "Added"),
    }
    assert Variant.objects.get(sku="NEW").price == 9
