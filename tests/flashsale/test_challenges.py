"""The challenge at the door, with a toy for one: who can add two and two may join."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flashsale import challenges, line, store, tickets
from flashsale.challenges import Challenge, ChallengeRequired
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db

asked: list[tuple[str, UUID, str]] = []


def two_and_two(*, sale: SaleInfo, shopper: UUID, answer: str) -> Challenge | None:
    asked.append((sale.slug, shopper, answer))
    if answer == "4":
        return None
    return Challenge(kind="sum", template="toy/sum.html", content={"add": [2, 2]})


@pytest.fixture
def challenge(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "sum.html").write_text(
        '<label>{% for number in challenge.content.add %}{{ number }} {% endfor %}<input name="answer"></label>'
    )
    (templates,) = settings.TEMPLATES
    settings.TEMPLATES = [templates | {"DIRS": [*templates["DIRS"], tmp_path]}]
    settings.LINE_CHALLENGE = f"{__name__}.two_and_two"
    asked.clear()


def open_line(**fields: Any) -> SaleInfo:
    chosen: dict[str, Any] = {"queue_mode": Sale.QueueMode.FIRST_COME} | fields
    return make_sale(**chosen)


def browser() -> tuple[Client, UUID]:
    client, user = Client(), make_user()
    client.force_login(user)
    client.get("/account/")
    return client, user.shopper_id


def join(client: Client, sale: SaleInfo, **body: str) -> Any:
    url = f"/api/v1/sales/{sale.slug}/ticket/"
    return client.post(url, body, content_type="application/json")


def numbers(sale: SaleInfo) -> int:
    return int(store.client().hlen(key(sale.id, "numbers")))


@pytest.mark.usefixtures("challenge")
def test_the_api_says_what_is_to_be_solved_and_takes_the_answer() -> None:
    sale, (client, shopper) = open_line(), browser()
    for body in ({}, {"answer": "5"}):
        refused = join(client, sale, **body)
        assert (refused.status_code, refused.json()["code"]) == (403, "challenge_required")
        assert refused.json()["challenge"] == {"kind": "sum", "content": {"add": [2, 2]}}
    assert numbers(sale) == 0
    assert join(client, sale, answer="4").status_code == 201
    assert asked == [(sale.slug, shopper, answer) for answer in ("", "5", "4")]


@pytest.mark.usefixtures("challenge")
def test_the_page_shows_what_is_to_be_solved_and_sends_the_answer_with_the_form() -> None:
    sale, (client, _) = open_line(), browser()
    join_url = f"/sales/{sale.slug}/line/join/"
    page = client.post(join_url)
    body = page.content.decode()
    assert page.status_code == 403
    assert f'action="{join_url}"' in body
    assert '<label>2 2 <input name="answer"></label>' in body
    assert "That was not it." not in body
    assert "That was not it." in client.post(join_url, {"answer": "5"}).content.decode()
    assert numbers(sale) == 0
    assert client.post(join_url, {"answer": "4"}).headers["Location"] == f"/sales/{sale.slug}/line/"
    assert f"ticket-{sale.id}" in client.cookies
    assert numbers(sale) == 1


@pytest.mark.usefixtures("challenge")
@pytest.mark.parametrize("ticket", [Ticket(3, 1), Ticket(None, 1)])
def test_who_shows_a_ticket_is_not_asked_again(ticket: Ticket) -> None:
    sale, (client, shopper) = open_line(queue_mode=Sale.QueueMode.DRAW), browser()
    value = tickets.sign_ticket(ticket, sale_id=sale.id, shopper=shopper)
    assert join(client, sale, ticket=value).status_code == 200
    assert asked == []
    stranger = tickets.sign_ticket(ticket, sale_id=sale.id, shopper=uuid4())
    assert join(client, sale, ticket=stranger).json()["code"] == "ticket_not_valid"


@pytest.mark.usefixtures("challenge")
def test_nobody_joins_past_it() -> None:
    sale = open_line(queue_mode=Sale.QueueMode.DRAW)
    with pytest.raises(ChallengeRequired):
        line.join(sale, shopper=uuid4(), now=timezone.now())
    assert store.client().exists(key(sale.id, "entrants"), key(sale.id, "numbers")) == 0


@pytest.mark.usefixtures("challenge")
def test_nobody_is_asked_where_there_is_no_line_to_join() -> None:
    client, _ = browser()
    assert join(client, make_sale()).json()["code"] == "no_line"
    assert asked == []


def test_control_without_one_nobody_is_asked() -> None:
    sale, (client, _) = open_line(), browser()
    assert not challenges.is_on()
    asked.clear()
    assert join(client, sale).status_code == 201
    assert asked == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [("flashsale.nobody.judges", "No module named"), ("flashsale.keys.KEEP_SECONDS", "be called")],
)
def test_a_name_that_names_no_judge_is_told_before_the_shop_starts(
    settings: Settings, name: str, problem: str
) -> None:
    assert [error for error in run_checks() if error.id == "flashsale.E001"] == []
    settings.LINE_CHALLENGE = name
    (error,) = [error for error in run_checks() if error.id == "flashsale.E001"]
    assert name in error.msg
    assert problem in error.msg
