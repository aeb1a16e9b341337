from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from flashsale.models import Sale
from flashsale.templatetags.sales import CACHE_KEY, find_banner, sale_banner
from inventory.models import Stock
from tests.away import database_away
from tests.factories import make_draft, make_sale

pytestmark = pytest.mark.django_db


def context() -> dict[str, Any]:
    return {"request": RequestFactory().get("/")}


def shown() -> tuple[str, str] | None:
    cache.clear()
    sale = sale_banner(context())["sale"]
    return (sale["slug"], sale["phase"]) if sale else None


def in_hours(hours: float) -> dict[str, Any]:
    """Times of a sale that opens in so many hours; its lobby opens an hour before."""
    opens_at = timezone.now() + timedelta(hours=hours)
    return {
        "lobby_opens_at": opens_at - timedelta(hours=1),
        "opens_at": opens_at,
        "closes_at": opens_at + timedelta(days=1),
        "queue_mode": Sale.QueueMode.DRAW,
    }


def test_without_a_sale_there_is_no_banner() -> None:
    make_draft()
    make_sale(is_rehearsal=True)
    assert shown() is None


def test_a_lobby_that_opens_soon_is_shown_before_a_sale_that_has_been_open_for_long() -> None:
    make_sale(**in_hours(-5))
    soon = make_sale(**in_hours(0.5))
    assert shown() == (soon.slug, "lobby")


def test_a_running_sale_is_shown_before_the_next_one() -> None:
    running = make_sale(**in_hours(-5))
    make_sale(**in_hours(2))
    assert shown() == (running.slug, "open")


def test_a_kept_page_is_shown_without_its_banner_while_postgresql_is_away(
    client: Client, settings: Settings
) -> None:
    settings.PAGE_CACHE_SECONDS = 30
    sale = make_sale()
    assert sale.slug in client.get("/").content.decode()
    cache.delete(CACHE_KEY)
    with database_away():
        page = client.get("/")
        assert page.status_code == 200
        assert sale.slug not in page.content.decode()
        with pytest.raises(OperationalError):
            client.get("/sales/")


def test_the_next_sale_is_shown_when_none_runs() -> None:
    make_sale(**in_hours(9))
    following = make_sale(**in_hours(4))
    assert shown() == (following.slug, "scheduled")


def test_a_sold_out_sale_is_not_shown() -> None:
    sale = make_sale(units=1)
    Stock.objects.filter(pool=sale.scope).update(on_hand=0)
    assert shown() is None


@pytest.mark.parametrize("units", [None, 3])
def test_a_warm_banner_costs_no_query(
    units: int | None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    if units is not None:
        make_sale(units=units)
    template = Template("{% load sales %}{% sale_banner %}")
    first = template.render(Context(context()))
    with django_assert_num_queries(0):
        assert template.render(Context(context())) == first


def test_a_sale_that_closed_since_it_was_cached_is_not_shown() -> None:
    sale = make_sale()
    banner = find_banner(now=timezone.now())
    assert banner is not None
    assert banner.info == sale
    cache.set(CACHE_KEY, replace(banner, info=replace(sale, closes_at=timezone.now())))
    assert sale_banner(context())["sale"] is None
