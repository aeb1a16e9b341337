"""What things have cost, and the lowest price that stands beside a reduced one."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from shop import catalogue, prices
from shop.models import PriceRecord, Product, Variant
from tests.factories import make_variant

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def cost(variant: Variant, *changes: tuple[float, str]) -> None:
    """Rewrite a variant's history: so many days ago it began to cost so much; the last is today's price."""
    price = Decimal(changes[-1][1])
    Variant.objects.filter(pk=variant.pk).update(price=price, compare_at_price=price + 30)
    variant.price_records.all().delete()
    PriceRecord.objects.bulk_create(
        PriceRecord(variant=variant, price=Decimal(price), valid_from=days_ago(days))
        for days, price in changes
    )
    variant.refresh_from_db()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def lowest(variant: Variant) -> Decimal | None:
    prices.tell_lowest([variant])
    return variant.lowest_price


def test_each_price_is_recorded_whoever_changes_it() -> None:
    variant = make_variant(price=Decimal("20.00"))
    variant.price = Decimal("18.00")
    variant.save()
    variant.name = "Another name"
    variant.save()
    Variant.objects.filter(pk=variant.pk).update(price=Decimal("16.00"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_variant SET price = 14 WHERE id = %s", [variant.pk])
    recorded = variant.price_records.order_by("id").values_list("price", flat=True)
    assert [str(price) for price in recorded] == ["20.00", "18.00", "16.00", "14.00"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(90, "50"), (10, "40")], "50"),
        ([(90, "50"), (20, "45"), (15, "60"), (10, "40")], "45"),
        ([(90, "30"), (41, "50"), (10, "40")], "50"),
        ([(90, "30"), (39, "50"), (10, "40")], "30"),
        ([(20, "50"), (10, "40")], "50"),
        ([(20, "50"), (10, "45"), (5, "40")], "45"),
        ([(10, "40")], None),
    ],
    ids=[
        "dearer before",
        "a dip in between",
        "cheap until 31 days before",
        "cheap until 29 days before",
        "younger than thirty days",
        "reduced in two steps",
        "new, and never dearer",
    ],
)
def test_the_lowest_price_is_that_of_the_thirty_days_before_the_reduction(
    changes: list[tuple[float, str]], expected: str | None
) -> None:
    variant = make_variant()
    cost(variant, *changes)
    assert lowest(variant) == (expected and Decimal(expected))


def test_what_is_not_reduced_says_nothing_and_asks_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    variants = [make_variant() for _ in range(3)]
    with django_assert_num_queries(0):
        prices.tell_lowest(variants)
    assert [variant.lowest_price for variant in variants] == [None] * 3


def test_a_list_asks_once_however_much_of_it_is_reduced(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for variant in [make_variant() for _ in range(4)]:
        cost(variant, (60, "50"), (10, "40"))
    products = list(Product.objects.prefetch_related("variants"))
    with django_assert_num_queries(2):
        listed = catalogue.count_available(products)
    assert {variant.lowest_price for product in listed for variant in product.variants.all()} == {
        Decimal("50.00")
    }


def test_the_page_and_the_api_tell_it(client: Client) -> None:
    variant = make_variant()
    cost(variant, (90, "50"), (20, "45.50"), (15, "60"), (10, "40"))
    page = client.get(variant.product.get_absolute_url()).content.decode()
    assert "Lowest price of the 30 days before: €45.50" in page
    told = client.get(f"/api/v1/products/{variant.product.slug}/").json()["variants"][0]
    assert (told["price"], told["lowest_price"]) == ("40.00", "45.50")
