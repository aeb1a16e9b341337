"""The list of sales: which are in it, and that a long one costs no more than a short one."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import make_sale


def list_queries(client: Client, *, sales: int) -> tuple[int, int]:
    """Queries of the page and of the API's first page, with so many sales."""
    for _ in range(sales):
        make_sale(items=2)
    client.get("/sales/")  # warms the banner
    with CaptureQueriesContext(connection) as page:
        assert client.get("/sales/").status_code == 200
    with CaptureQueriesContext(connection) as api:
        assert len(client.get("/api/v1/sales/").json()["results"]) >= sales
    return len(page), len(api)


@pytest.mark.django_db
def test_lists_of_sales_cost_the_same_however_long_they_are(client: Client) -> None:
    assert list_queries(client, sales=2) == list_queries(client, sales=8) == (5, 4)


@pytest.mark.django_db
def test_the_list_leaves_the_oldest_sales_out_and_not_the_next(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flashsale.views.sales.MOST_SALES", 2)
    now = timezone.now()
    slugs = [
        make_sale(opens_at=now + timedelta(hours=hours), closes_at=now + timedelta(hours=99)).slug
        for hours in (1, 2, 3)
    ]
    page = client.get("/sales/").text
    assert [f"/sales/{slug}/" in page for slug in slugs] == [False, True, True]
