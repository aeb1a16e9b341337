from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.test import Client

from flashsale.models import Sale
from tests.factories import make_draft, make_sale

pytestmark = pytest.mark.django_db


def test_the_feed_tells_of_sales_that_anybody_may_see(client: Client) -> None:
    sale, draft, rehearsal = make_sale(), make_draft(), make_sale()
    Sale.objects.filter(pk=sale.id).update(name="Bells & <whistles>")
    Sale.objects.filter(pk=rehearsal.id).update(is_rehearsal=True)
    answer = client.get("/sales.rss")
    assert answer["Content-Type"].startswith("application/rss+xml")
    assert "public" in answer["Cache-Control"]
    items = ElementTree.fromstring(answer.content).findall("channel/item")  # noqa: S314 -- our own
    assert [item.findtext("title") for item in items] == ["Bells & <whistles>"]
    assert items[0].findtext("link") == f"{settings.SITE_URL}/sales/{sale.slug}/"
    assert draft.slug.encode() not in answer.content


def test_a_cache_keeps_the_feed_for_each_language(client: Client) -> None:
    english = client.get("/sales.rss", headers={"Accept-Language": "en"})
    german = client.get("/sales.rss", headers={"Accept-Language": "de"})
    assert english.content != german.content
    assert {"Accept-Language", "Cookie"} <= set(english["Vary"].split(", "))


def test_pages_say_where_the_feed_is(client: Client) -> None:
    assert b'type="application/rss+xml"' in client.get("/").content
