"""What the API's answers are made of; whole ways through it are in tests/journeys."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from flashsale import line, line_document
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


def lobby() -> SaleInfo:
    now = timezone.now()
    return make_sale(
        queue_mode=Sale.QueueMode.DRAW,
        lobby_opens_at=now - timedelta(hours=1),
        opens_at=now + timedelta(minutes=1),
    )


def signed_in() -> Client:
    """A browser after its first page: it has the session and the shopper's cookie."""
    client = Client()
    client.force_login(make_user())
    assert "shopper" in client.get("/account/").cookies
    return client


def join(client: Client, sale: SaleInfo, **body: str) -> Any:
    url = f"/api/v1/sales/{sale.slug}/ticket/"
    return client.post(url, body, content_type="application/json")


@pytest.mark.parametrize("who", [Client, signed_in])
def test_the_line_document_is_the_same_bytes_for_everybody_and_may_be_cached(who: type) -> None:
    sale = lobby()
    line.renew(sale, now=timezone.now())
    expected = Client().get(f"/api/v1/sales/{sale.slug}/line/")
    answer = who().get(f"/api/v1/sales/{sale.slug}/line/")
    assert not answer.cookies
    assert answer["Cache-Control"] == line_document.CACHE_CONTROL
    assert {"public", "max-age=1"} <= set(answer["Cache-Control"].split(", "))
    assert answer.content == expected.content
    assert "Cookie" not in answer.get("Vary", "")


def test_a_browser_joins_by_its_cookie_alone_without_a_query(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    sale, client = lobby(), signed_in()
    client.get(f"/api/v1/sales/{sale.slug}/line/")  # the process has its copy of the sale now
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's
        answer = join(client, sale)
    assert answer.status_code == 201


def test_a_ticket_cookie_that_is_somebody_else_s_does_not_keep_a_shopper_out() -> None:
    sale, client = lobby(), signed_in()
    client.cookies[f"ticket-{sale.id}"] = "junk"
    assert join(client, sale).status_code == 201
    brought = join(client, sale, ticket="junk")
    assert (brought.status_code, brought.json()["code"]) == (403, "ticket_not_valid")


def test_a_sale_without_a_line_says_so_to_who_wants_to_join() -> None:
    answer = join(signed_in(), make_sale())
    assert (answer.status_code, answer.json()["code"]) == (409, "no_line")


@pytest.mark.parametrize(
    "path", ["/orders/%00/", "/api/v1/orders/%00/", "/api/v1/products/?category=%00", "/?q=%00"]
)
def test_a_nul_in_the_address_is_a_bad_request(path: str) -> None:
    assert Client().get(path).status_code == 400


@pytest.mark.parametrize("body", ['{"email": "\\ud800@x.de", "password": "x"}', "[" * 100_000, "{"])
def test_a_body_that_is_no_proper_json_is_a_bad_request(body: str) -> None:
    answer = Client().post("/api/v1/auth/token/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
