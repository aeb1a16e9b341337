"""The express way for clicks on Buy, and the Django route that it stands for: the same tests for both."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
import redis
from django.http import parse_cookie
from django.urls import reverse
from django.utils import timezone

from flashsale import buying, gate, purchases, shedding, shoppers, store, tickets
from flashsale.buying import Refusal, Refused
from flashsale.express import front
from flashsale.express.callers import Call
from flashsale.keys import key
from flashsale.models import LoadLevel, Sale
from flashsale.sales import SaleInfo
from shop.models import User
from tests.clicks import queued
from tests.factories import make_sale, make_user
from tests.over_wsgi import client_of, serve
from tests.two_ways import (
    BOTH_WAYS,
    SECRET,
    asked_of_django,
    by_cookie,
    by_token,
    counted,
    problem,
)

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

pytestmark = pytest.mark.django_db


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "express"))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sales for which a drain was asked for."""
    rung: list[int] = []
    monkeypatch.setattr("flashsale.clicks.ring", rung.append)
    return rung


@pytest.fixture
def client(way: str, rung: list[int]) -> Iterator[httpx.Client]:
    with client_of(serve(express=way == "express")) as client:
        yield client


def open_sale(**fields: Any) -> SaleInfo:
    sale = make_sale(**{"units": 3} | fields)
    gate.sync(sale, now=timezone.now())
    return sale


def address(sale: SaleInfo) -> str:
    return f"/api/v1/sales/{sale.slug}/purchases/"


def click(
    client: httpx.Client, sale: SaleInfo, headers: dict[str, str], **body: Any
) -> httpx.Response:
    return client.post(address(sale), json={"item": sale.items[0].id} | body, headers=headers)


def admission(sale: SaleInfo, shopper: UUID) -> str:
    """A signed admission of somebody who is inside."""
    ends = timezone.now() + timedelta(minutes=3)
    store.client().zadd(key(sale.id, "active"), {str(shopper): gate.milliseconds(ends)})
    return tickets.sign_admission(sale_id=sale.id, shopper=shopper, expires_at=ends)


# The same for both ways


@BOTH_WAYS
def test_a_click_is_queued_and_rings(client: httpx.Client, rung: list[int]) -> None:
    sale, user = open_sale(), make_user()
    answer = click(client, sale, by_cookie(user.shopper_id))
    purchase = purchases.name_purchase(
        sale_id=sale.id,
        shopper=user.shopper_id,
        attempt="one",
        item=sale.items[0].id,
        quantity=1,
    )
    url = f"/api/v1/purchases/{purchase}/"
    assert answer.status_code == 202
    assert answer.json() == {"id": str(purchase), "state": "queued", "url": url}
    assert answer.headers["Location"] == url
    assert (queued(sale), rung) == (1, [sale.id])


@BOTH_WAYS
def test_a_double_click_is_one_purchase(client: httpx.Client, rung: list[int]) -> None:
    sale, user = open_sale(limit_per_shopper=2), make_user()
    answers = [click(client, sale, by_cookie(user.shopper_id)) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert (queued(sale), rung) == (1, [sale.id])


@BOTH_WAYS
def test_a_key_that_bought_something_is_refused_for_something_else(client: httpx.Client) -> None:
    sale, user = open_sale(limit_per_shopper=3), make_user()
    won = click(client, sale, by_cookie(user.shopper_id)).json()["id"]
    other = click(client, sale, by_cookie(user.shopper_id), quantity=2)
    assert problem(other) == (422, "idempotency_key_reused")
    assert other.json()["purchase"] == won
    assert queued(sale) == 1


@BOTH_WAYS
def test_an_api_client_clicks_with_its_token(client: httpx.Client) -> None:
    sale, user = open_sale(), make_user()
    assert click(client, sale, by_token(user), quantity=1, admission=None).status_code == 202
    assert queued(sale) == 1


@BOTH_WAYS
def test_a_definite_no_comes_at_once_and_takes_nothing(client: httpx.Client) -> None:
    sale, winner, other = open_sale(units=1), make_user().shopper_id, make_user().shopper_id
    won = click(client, sale, by_cookie(winner)).json()["id"]
    again = click(client, sale, by_cookie(winner, **{"Idempotency-Key": "two"}))
    assert problem(again) == (409, "limit_reached")
    assert again.json()["purchase"] == won
    late = click(client, sale, by_cookie(other))
    assert problem(late) == (409, "sold_out")
    assert late.json()["purchase"] is None
    assert problem(click(client, sale, by_cookie(other), quantity=2)) == (409, "limit_reached")
    assert problem(click(client, sale, by_cookie(other), item=2**40)) == (404, "unknown_item")
    assert queued(sale) == 1


@BOTH_WAYS
def test_a_sale_that_is_not_open_sells_nothing(client: httpx.Client) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    sale = open_sale(opens_at=soon, closes_at=soon + timedelta(hours=1))
    answer = click(client, sale, by_cookie(make_user().shopper_id))
    assert problem(answer) == (409, "not_open")
    assert queued(sale) == 0


@BOTH_WAYS
def test_where_there_is_a_line_an_admission_of_ones_own_is_needed(client: httpx.Client) -> None:
    sale = open_sale(queue_mode=Sale.QueueMode.FIRST_COME, limit_per_shopper=2)
    shopper, other = make_user().shopper_id, make_user().shopper_id
    own, borrowed = admission(sale, shopper), admission(sale, other)
    headers = by_cookie(shopper)
    for shown in ("", None, borrowed, own[:-3] + "xyz", "x" * 300):
        assert problem(click(client, sale, headers, admission=shown)) == (
            403,
            "admission_not_valid",
        )
    assert queued(sale) == 0
    assert click(client, sale, headers, admission=own).status_code == 202
    kept = by_cookie(shopper, **{"Idempotency-Key": "two"})
    kept["Cookie"] += f"; admission-{sale.id}={own}"
    assert click(client, sale, kept).status_code == 202
    assert queued(sale) == 2


@BOTH_WAYS
def test_with_redis_away_the_unit_is_held_in_postgresql_at_once(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = open_sale()

    def away(*args: object, **more: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(gate, "claim", away)
    answer = click(client, sale, by_cookie(make_user().shopper_id))
    assert (answer.status_code, answer.json()["state"]) == (202, "held")


@BOTH_WAYS
def test_when_nobody_can_take_the_claim_the_answer_is_busy(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buying, "buy", lambda **click: Refused(Refusal.BUSY))
    answer = click(client, open_sale(), by_cookie(make_user().shopper_id))
    assert problem(answer) == (503, "busy")
    assert answer.headers["Retry-After"] == "1"


@BOTH_WAYS
def test_the_click_after_the_last_allowed_one_has_to_wait(client: httpx.Client) -> None:
    sale, shopper = open_sale(), make_user().shopper_id
    answers = [click(client, sale, by_cookie(shopper)) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [202] * 20 + [429]
    assert problem(answers[-1]) == (429, "too_many_requests")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert click(client, sale, by_cookie(make_user().shopper_id)).status_code == 202


@BOTH_WAYS
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Cookie": ""}, 401, "not_authenticated"),
        ({"Cookie": f"shopper=made.up.cookie; csrftoken={SECRET}"}, 401, "not_authenticated"),
        ({"X-CSRFToken": "t" * 32}, 403, "permission_denied"),
        ({"X-CSRFToken": ""}, 403, "permission_denied"),
        ({"Origin": "http://elsewhere.example"}, 403, "permission_denied"),
        ({"Origin": "null"}, 403, "permission_denied"),
        ({"Authorization": "Token 0123456789"}, 401, "authentication_failed"),
        ({"Authorization": "Token"}, 401, "authentication_failed"),
        ({"Idempotency-Key": "k" * 201}, 400, "idempotency_key_too_long"),
        ({"Accept": "text/html"}, 406, "not_acceptable"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Host": "elsewhere.example"}, 400, "bad_request"),
    ],
)
def test_who_may_not_click_is_told_so(
    client: httpx.Client, changes: dict[str, str], status: int, code: str
) -> None:
    sale, shopper = open_sale(), make_user().shopper_id
    # Once done right before: what is remembered of that must not help the others.
    assert click(client, sale, by_cookie(shopper)).status_code == 202
    answer = click(client, sale, by_cookie(shopper, **{"Idempotency-Key": "two"} | changes))
    assert problem(answer) == (status, code)
    assert queued(sale) == 1


@BOTH_WAYS
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"1", b"null", b'{"item": NaN}', b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 900,
        b'{"item": true}', b'{"item": 1.5}', b'{"item": "x"}', b'{"item": null}', b'{"item": -1}',
        b'{"item": 1, "quantity": 0}', b'{"item": 1, "quantity": null}', b'{"item": 1, "quantity": 1001}',
        b'{"item": 1, "admission": 7.5, "quantity": []}', b'{"item": 1, "admission": "\\ud800"}',
        b'{"item": 1, "admission": "' + b"x" * 301 + b'"}', b'{"item": 1, "admission": "a\\u0000b"}',
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_a_bad_request(client: httpx.Client, body: bytes) -> None:
    sale = open_sale()
    headers = by_cookie(make_user().shopper_id, **{"Content-Type": "application/json"})
    answer = client.post(address(sale), content=body, headers=headers)
    assert problem(answer)[0] == 400
    assert queued(sale) == 0


@BOTH_WAYS
def test_an_unknown_sale_is_not_found(client: httpx.Client) -> None:
    headers = by_cookie(make_user().shopper_id)
    answer = client.post("/api/v1/sales/none/purchases/", json={"item": 1}, headers=headers)
    assert problem(answer) == (404, "not_found")


@BOTH_WAYS
def test_a_shopper_costs_one_call_to_redis_and_no_query(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, user = open_sale(), make_user()
    known(client, sale)
    with counted(monkeypatch) as calls:
        assert click(client, sale, by_cookie(user.shopper_id)).status_code == 202
    assert calls == {"EVALSHA": 1}


@BOTH_WAYS
def test_what_the_process_knows_to_be_sold_out_costs_no_call_and_no_query(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, user = open_sale(), make_user()
    known(client, sale)
    with counted(monkeypatch) as calls:
        monkeypatch.setattr(buying, "buy", lambda **click: Refused(Refusal.SOLD_OUT))
        answer = click(client, sale, by_cookie(user.shopper_id))
    assert problem(answer) == (409, "sold_out")
    assert calls == {}


def known(client: httpx.Client, sale: SaleInfo) -> None:
    """Somebody else clicks, so that the process has its copy of the sale."""
    assert click(client, sale, by_cookie(make_user().shopper_id)).status_code == 202


def test_the_control_calls_and_queries_are_counted(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = open_sale()
    known(client, sale)
    with counted(monkeypatch) as calls:
        store.client().ping()
    assert calls == {"PING": 1}
    with (
        pytest.raises(AssertionError, match="SELECT"),
        counted(monkeypatch),
    ):
        User.objects.count()


# The two ways against each other


def test_both_ways_answer_with_the_same_bytes_and_headers(
    rung: list[int],
) -> None:
    sale = open_sale(units=2, limit_per_shopper=1)
    lined = open_sale(queue_mode=Sale.QueueMode.FIRST_COME)
    soon = timezone.now() + timedelta(minutes=1)
    later = open_sale(opens_at=soon, closes_at=soon + timedelta(hours=1))
    ada, grace, joan = make_user(), make_user(), make_user()
    two = {"Idempotency-Key": "two"}
    clicks: list[Callable[[httpx.Client], httpx.Response]] = [
        lambda client: click(client, sale, by_cookie(ada.shopper_id)),
        lambda client: click(client, sale, by_cookie(ada.shopper_id)),
        lambda client: click(client, sale, by_cookie(ada.shopper_id, **two)),
        lambda client: click(client, sale, by_token(grace)),
        lambda client: click(client, sale, by_token(joan)),
        lambda client: click(client, sale, by_token(joan), item=2**40),
        lambda client: click(client, sale, by_token(joan), quantity=5),
        lambda client: click(client, later, by_token(joan)),
        lambda client: click(client, lined, by_token(joan)),
        lambda client: click(client, lined, by_token(joan), admission=admission(lined, joan.shopper_id)),
    ]  # fmt: skip
    answers = {}
    for way in (True, False):
        store.client().flushdb()
        for info in (sale, lined, later):
            gate.sync(info, now=timezone.now())
        with client_of(serve(express=way)) as client, asked_of_django() as asked_django:
            for one in (clicks[0], clicks[3]):
                one(client)  # the express way has asked Django for its headers now
            asked_django.clear()
            answers[way] = [
                (
                    answer.status_code,
                    answer.reason_phrase,
                    sorted(answer.headers.raw),
                    answer.content,
                )
                for answer in (one(client) for one in clicks)
            ]
            assert len(asked_django) == (0 if way else len(clicks))
    assert answers[True] == answers[False]
    statuses = [status for status, *_ in answers[True]]
    assert statuses == [202, 202, 409, 202, 409, 404, 409, 409, 403, 202]
    names = {name.decode().lower() for name, _ in answers[True][0][2]}
    assert names >= {
        "content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options",
        "cross-origin-opener-policy", "allow", "content-length", "location",
    }  # fmt: skip


def test_the_address_is_that_of_the_django_route() -> None:
    found = front.ADDRESS.fullmatch(reverse("api:sale-purchases", args=["a-Sale_1"]))
    assert found is not None
    assert found[1] == "a-Sale_1"


# What the express way leaves to Django


class Recorder:
    """Stands behind the express way for Django, and keeps what reached it."""

    def __init__(self) -> None:
        self.django = serve(express=False)
        self.reached: list[bytes] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if environ.get("HTTP_AUTHORIZATION") == "Token":
            return self.django(environ, start_response)  # asked for its headers
        self.reached.append(environ["wsgi.input"].read())
        start_response("204 No Content", [])
        return []


def usual(sale: SaleInfo, shopper: UUID) -> dict[str, Any]:
    """A click that the express way answers, as a server hands it over."""
    body = json.dumps({"item": sale.items[0].id}).encode()
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": address(sale),
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "testserver",
        "HTTP_ORIGIN": "http://testserver",
        "HTTP_COOKIE": f"shopper={shoppers.sign_cookie(shopper)}; csrftoken={SECRET}",
        "HTTP_X_CSRFTOKEN": SECRET,
        "HTTP_IDEMPOTENCY_KEY": "one",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
    }


def send(application: "WSGIApplication", environ: dict[str, Any]) -> str:
    said: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        said.append(status)

    with client_of(application):  # keeps the database connection
        b"".join(application(environ, start_response))
    return said[0]


def test_the_control_a_usual_click_does_not_reach_django(rung: list[int]) -> None:
    sale, recorder = open_sale(), Recorder()
    application = front.in_front_of(recorder)
    assert send(application, usual(sale, make_user().shopper_id)) == "202 Accepted"
    assert recorder.reached == []
    assert queued(sale) == 1


UNUSUAL: dict[str, dict[str, Any]] = {
    "another method": {"REQUEST_METHOD": "PUT"},
    "another address": {"PATH_INFO": "/api/v1/sales/"},
    "an address with more": {"PATH_INFO": "/api/v1/sales/x/purchases/y"},
    "an address that is no slug": {"PATH_INFO": "/api/v1/sales/a%b/purchases/"},
    "a shop below a path": {"SCRIPT_NAME": "/shop"},
    "a query": {"QUERY_STRING": "format=json"},
    "a form": {"CONTENT_TYPE": "application/x-www-form-urlencoded"},
    "a charset": {"CONTENT_TYPE": "application/json; charset=latin-1"},
    "wanting a page": {"HTTP_ACCEPT": "text/html"},
    "no length": {"CONTENT_LENGTH": ""},
    "a length that is none": {"CONTENT_LENGTH": "-5"},
    "no key": {"HTTP_IDEMPOTENCY_KEY": ""},
    "too long a key": {"HTTP_IDEMPOTENCY_KEY": "k" * 201},
    "no cookie": {"HTTP_COOKIE": ""},
    "a wrong CSRF token": {"HTTP_X_CSRFTOKEN": "t" * 32},
    "another origin": {"HTTP_ORIGIN": "http://elsewhere.example"},
    "an unknown token": {"HTTP_AUTHORIZATION": "Token 0123"},
    "another scheme": {"HTTP_AUTHORIZATION": "Basic 0123"},
    "another host": {"HTTP_HOST": "elsewhere.example"},
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_unusual_reaches_django_with_its_body(what: str, rung: list[int]) -> None:
    sale, recorder = open_sale(), Recorder()
    environ = usual(sale, make_user().shopper_id)
    body = environ["wsgi.input"].getvalue()
    assert send(front.in_front_of(recorder), environ | UNUSUAL[what]) == "204 No Content"
    assert recorder.reached == [body]
    assert queued(sale) == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"item": "%d"}', b'{"item": %d, "more": 1}', b'{"item": %d, "quantity": true}', b"[%d]", b"%d {",
        b'{"item": %d, "admission": " x"}', b'{"item": %d, "admission": "' + b"x" * 1100 + b'"}',
    ],
)  # fmt: skip
def test_an_unusual_body_reaches_django_as_it_came(body: bytes, rung: list[int]) -> None:
    sale, recorder = open_sale(), Recorder()
    said = body % sale.items[0].id
    environ = usual(sale, make_user().shopper_id)
    environ |= {"wsgi.input": BytesIO(said), "CONTENT_LENGTH": str(len(said))}
    assert send(front.in_front_of(recorder), environ) == "204 No Content"
    assert recorder.reached == [said]


def test_while_the_load_is_not_normal_django_answers(
    rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, recorder = open_sale(), Recorder()
    high = shedding.InForce(LoadLevel.Level.BROWNOUT)
    monkeypatch.setattr(shedding, "current", lambda: high)
    application = front.in_front_of(recorder)
    assert send(application, usual(sale, make_user().shopper_id)) == "204 No Content"
    assert len(recorder.reached) == 1


def test_what_fails_after_the_claim_is_asked_of_django_and_stays_one_purchase(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sale, calls = open_sale(limit_per_shopper=2), []

    def fails_once(sale_id: int) -> None:
        calls.append(sale_id)
        raise OSError("the broker is away")

    monkeypatch.setattr("flashsale.clicks.ring", fails_once)
    with client_of(serve(express=True)) as client:
        answer = click(client, sale, by_cookie(make_user().shopper_id))
    assert answer.status_code == 202
    assert (queued(sale), calls) == (1, [sale.id])
    assert "Django is asked" in capsys.readouterr().err


def test_hosts_that_somebody_makes_up_do_not_fill_the_memory(
    rung: list[int], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    monkeypatch.setattr(front, "MOST_PLACES", 3)
    places: list[str] = []
    learn = front._learn_place

    def learning(application: Any, environ: dict[str, Any]) -> Any:
        places.append(environ["HTTP_HOST"])
        return learn(application, environ)

    monkeypatch.setattr(front, "_learn_place", learning)
    sale, application = open_sale(units=20), front.in_front_of(Recorder())
    for number in [1, 2, 3, 1, 4, 1]:
        environ = usual(sale, make_user().shopper_id)
        environ |= {"HTTP_HOST": f"h{number}.example", "HTTP_ORIGIN": f"http://h{number}.example"}
        assert send(application, environ) == "202 Accepted"
    assert places == ["h1.example", "h2.example", "h3.example", "h4.example", "h1.example"]


@pytest.mark.parametrize(
    "sent",
    ["a=1", "a=1; b=2; a=3", "a=b=c; d=", "a=1:x-y_z; sessionid=s", 'a="q\\"uoted"; b=2', "a=\\101; b"],
)  # fmt: skip
def test_cookies_are_read_as_django_reads_them(sent: str) -> None:
    assert parse_cookie(sent) == Call({"REQUEST_METHOD": "POST", "HTTP_COOKIE": sent}).COOKIES


def test_without_cookies_there_are_none_that_count() -> None:
    assert Call({"REQUEST_METHOD": "POST"}).COOKIES.get("shopper") is None
