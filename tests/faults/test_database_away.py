"""PostgreSQL goes away in the middle of a sale, as while it is restarted or another server takes over.

What needs Redis alone goes on: the line, entering, Buy. What needs PostgreSQL says "busy, try again", and what was
claimed meanwhile is settled when it is back.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.db import connection
from psycopg import sql

from flashsale.models import Sale
from flashsale.sales import COPY_SECONDS, SaleInfo
from tests.clicks import open_sale, queued
from tests.client import Client
from tests.factories import make_user
from tests.faults.proof import Units, proven_units
from tests.stack import Stack, database_url, wait_for


@contextmanager
def database_cut_off() -> Iterator[None]:
    """Nobody's session but the test's own is left, and nobody is let in."""
    database = sql.Identifier(connection.settings_dict["NAME"])
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
    head, _, name = database_url().rpartition("/")
    with psycopg.connect(f"{head}/postgres", autocommit=True) as staff:
        staff.execute(allow.format(database, sql.SQL("false")))
        try:
            staff.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> %s",
                [name, own],
            )
            yield
        finally:
            staff.execute(allow.format(database, sql.SQL("true")))


@pytest.fixture
def shoppers(stack: Stack) -> Iterator[Callable[[], Client]]:
    """Makes shoppers whom the one process of the web server knows."""
    stack.stop("web")
    stack.start_web(workers=1)
    with ExitStack() as clients:
        yield lambda: clients.enter_context(Client(stack.url, email=make_user().email))


def with_a_line(units: int) -> SaleInfo:
    return open_sale(units=units, queue_mode=Sale.QueueMode.FIRST_COME)


def let_in(shopper: Client, sale: SaleInfo) -> str:
    ticket = shopper.join(sale.slug).json()["ticket"]
    answer = shopper.until(
        lambda: shopper.enter(sale.slug, ticket), lambda answer: answer.status_code == 201
    )
    return str(answer.json()["admission"])


def busy(answer: httpx.Response) -> bool:
    is_busy = answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    return is_busy and answer.headers["Cache-Control"] == "no-store"


def test_the_line_and_buy_go_on_and_claims_are_settled_when_it_is_back(
    stack: Stack, shoppers: Callable[[], Client]
) -> None:
    sale, buyer, newcomer = with_a_line(units=3), shoppers(), shoppers()
    admission = let_in(buyer, sale)
    assert newcomer.join("no-such-sale").status_code == 404  # their token is known from now on
    time.sleep(COPY_SECONDS)  # what is known of the sale has to be looked up again
    with database_cut_off():
        bought = buyer.buy(sale.slug, sale.items[0].id, admission=admission)
        assert bought.status_code == 202, bought.text
        assert newcomer.join(sale.slug).status_code == 201
        assert newcomer.line(sale.slug)["phase"] == "open"
        assert busy(buyer.http.get("orders/"))
        assert queued(sale) == 1
    buyer.until_state(bought.json()["id"], "held")
    wait_for(lambda: queued(sale) == 0, what="an empty queue", stack=stack)
    assert proven_units(sale) == Units(sold=0, held=1, free=2)
    assert buyer.http.get("orders/").status_code == 200


def test_pages_say_that_it_passes_and_lead_on(stack: Stack, shoppers: Callable[[], Client]) -> None:
    with database_cut_off(), httpx.Client(base_url=stack.url) as stranger:
        page = stranger.get(f"/search/?q={uuid4()}")
        assert busy(page)
        assert "Nothing is lost" in page.text
        problem = stranger.get("/api/v1/products/")
        assert busy(problem)
        assert problem.json()["code"] == "busy"
    assert httpx.get(f"{stack.url}/search/?q={uuid4()}").status_code == 200
