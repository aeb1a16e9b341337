"""What is said to machines is what the page shows to people."""

import json
import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.test import Client

from shop.models import Product, ProductImage, Review, Variant
from shop.templatetags.shop import json_ld
from tests.factories import make_user, make_variant

pytestmark = pytest.mark.django_db

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


def said_on(page: str, kind: str) -> dict[str, Any]:
    blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    documents: list[dict[str, Any]] = [json.loads(block) for block in blocks]
    return next(document for document in documents if document["@type"] == kind)


def meta(page: str, name: str) -> str:
    found = re.search(rf'<meta (?:property|name)="{name}" content="([^"]*)"', page)
    assert found, name
    return unescape(found[1])


def test_product_and_offer_say_what_the_page_shows(client: Client) -> None:
    variant = make_variant(units=3, name="Oak", price=Decimal("49.50"))
    gone = Variant.objects.create(product=variant.product, sku="GONE", name="Elm", price=70)
    for stars in (5, 4, 4):
        Review.objects.create(
            product=variant.product, user=make_user(), rating=stars, title="So", is_approved=True
        )
    url = variant.product.get_absolute_url()
    for shown, price, availability, words in (
        (variant, "49.50", "InStock", "Only 3 left"),
        (gone, "70.00", "OutOfStock", "Sold out"),
    ):
        page = client.get(url, {"variant": shown.sku}).content.decode()
        data = said_on(page, "Product")
        offer = data["offers"]
        assert (offer["price"], offer["priceCurrency"]) == (price, settings.CURRENCY)
        assert f"€{price}" in page
        assert offer["availability"].endswith(f"/{availability}")
        assert words in page
        assert (data["name"], data["sku"]) == (variant.product.name, shown.sku)
        rating = data["aggregateRating"]
        assert (rating["ratingValue"], rating["reviewCount"]) == ("4.3", 3)
        assert "4.3 from 3 reviews" in page
        assert offer["url"] == f"{settings.SITE_URL}{url}?variant={shown.sku}"


def test_a_product_without_reviews_has_no_rating(client: Client) -> None:
    page = client.get(make_variant().product.get_absolute_url()).content.decode()
    assert "aggregateRating" not in said_on(page, "Product")


def test_breadcrumbs_are_those_of_the_page(client: Client) -> None:
    product = make_variant().product
    page = client.get(product.get_absolute_url()).content.decode()
    steps = said_on(page, "BreadcrumbList")["itemListElement"]
    assert [step["name"] for step in steps] == [settings.SHOP_NAME, "Lamps", product.name]
    crumbs = page.split('class="breadcrumbs"')[1].split("</nav>")[0]
    for step in steps:
        assert step["name"] in crumbs


def test_pages_are_shared_with_absolute_addresses_and_pictures(client: Client) -> None:
    product = make_variant().product
    Product.objects.filter(pk=product.pk).update(summary='A "good" lamp & more')
    ProductImage.objects.create(product=product, file=ContentFile(PNG, "lamp.png"), alt="A lamp")
    for path in (product.get_absolute_url(), "/c/lamps/"):
        page = client.get(path).content.decode()
        assert f'<link rel="canonical" href="{settings.SITE_URL}{path}">' in page
        assert meta(page, "og:url") == settings.SITE_URL + path
        assert meta(page, "og:image").startswith(settings.SITE_URL + settings.MEDIA_URL)
        assert meta(page, "twitter:card") == "summary_large_image"
    page = client.get(product.get_absolute_url(), {"variant": "x"}).content.decode()
    assert f'<link rel="canonical" href="{settings.SITE_URL}{product.get_absolute_url()}">' in page
    assert meta(page, "og:description") == 'A "good" lamp & more'
    home = client.get("/").content.decode()
    assert meta(home, "og:image").startswith("http")


def test_narrowed_lists_and_searches_are_not_for_search_engines(client: Client) -> None:
    make_variant()
    for address in ("/search/?q=lamp", "/search/?stock=1", "/c/lamps/?kind=Oak"):
        assert meta(client.get(address).content.decode(), "robots") == "noindex"
    for address in ("/search/", "/c/lamps/", "/c/lamps/?sort=price"):
        assert 'name="robots"' not in client.get(address).content.decode()


def test_text_cannot_end_the_element_that_it_stands_in() -> None:
    said = json_ld({"name": "</script><script>alert(1)</script> & <!--"})
    assert said.count("</script>") == 1
    inner = said.split(">", 1)[1].rsplit("<", 1)[0]
    assert json.loads(inner)["name"] == "</script><script>alert(1)</script> & <!--"
