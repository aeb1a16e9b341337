from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from inventory import audit
from shop import search
from shop.models import Category, Order, Product, SearchWord, Variant

pytestmark = pytest.mark.django_db


def test_made_up_products_are_found_and_sold_and_repeating_it_adds_what_is_missing(
    client: Client,
) -> None:
    call_command("seed_demo", products=30, orders=20, stdout=StringIO())
    call_command("seed_demo", products=40, orders=25, stdout=StringIO())
    made = Product.objects.filter(slug__startswith="made-up-")
    assert made.count() == 40
    assert Variant.objects.filter(product__in=made).count() == 80
    assert not made.filter(price_from=None).exists()
    assert set(made.values_list("category", flat=True)) == set(
        Category.objects.values_list("pk", flat=True)
    )
    assert SearchWord.objects.filter(word="candlestick").exists()
    assert search.matching(query="made-up-7-1").get().slug == "made-up-7"
    assert client.get("/p/made-up-7/").status_code == 200
    assert Order.objects.count() == 25
    assert [result.breaches for result in audit.run(scope={}) if result.breaches] == []
