"""What search engines are told, read as they read it."""

from urllib.robotparser import RobotFileParser

import pytest
from django.conf import settings
from django.test import Client

from config import crawlers
from flashsale.models import Sale
from shop.models import Product
from tests.factories import make_draft, make_sale, make_variant

pytestmark = pytest.mark.django_db


def test_robots_are_kept_out_of_the_line_and_let_into_the_rest(client: Client) -> None:
    answer = client.get("/robots.txt")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    lines = answer.content.decode().splitlines()
    assert "Disallow: /sales/*/line/" in lines
    assert lines[-1] == f"Sitemap: {settings.SITE_URL}/sitemap.xml"
    rules = RobotFileParser()
    rules.parse(lines)
    allowed = ("/", "/p/first-light-lamp/", "/sales/", "/sales/spring/", "/sales/spring/draw/")
    assert [path for path in allowed if not rules.can_fetch("Googlebot", path)] == []
    kept_out = ("/cart/", "/checkout/", "/orders/HF-1/", "/account/", "/admin/")
    assert [path for path in kept_out if rules.can_fetch("Googlebot", path)] == []


def test_the_sitemap_names_what_anybody_may_see(client: Client) -> None:
    sale, draft, rehearsal = make_sale(), make_draft(), make_sale()
    Sale.objects.filter(pk=rehearsal.id).update(is_rehearsal=True)
    index = client.get("/sitemap.xml").content.decode()
    sections = [f"/sitemap-{name}.xml" for name in ("products", "categories", "sales")]
    for section in sections:
        assert f"<loc>http://testserver{section}</loc>" in index
    shown = "".join(client.get(section).content.decode() for section in sections)
    variant = Sale.objects.get(pk=sale.id).items.get().variant
    for path in (f"/sales/{sale.slug}/", variant.product.get_absolute_url(), "/c/lamps/"):
        assert f"<loc>http://testserver{path}</loc>" in shown
    for slug in (draft.slug, rehearsal.slug):
        assert f"/sales/{slug}/" not in shown
    assert "/line/" not in shown


def test_a_long_sitemap_is_given_in_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [make_variant() for _ in range(3)]
    Product.objects.filter(pk=variants[0].product_id).update(is_published=False)
    monkeypatch.setattr(crawlers.Products, "limit", 1)
    index = client.get("/sitemap.xml").content.decode()
    assert index.count("sitemap-products.xml") == 2
    second = client.get("/sitemap-products.xml", {"p": 2}).content.decode()
    assert variants[2].product.get_absolute_url() in second
    assert second.count("<loc>") == 1
    assert client.get("/sitemap-nothing.xml").status_code == 404
