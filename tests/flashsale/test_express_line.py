"""The line over the express way, and over the Django routes that it stands for: the same tests for both."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import redis
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from flashsale import line, line_document, sales, store
from flashsale.express import front
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from tests.factories import make_sale, make_user
from tests.over_wsgi import client_of, serve
from tests.two_ways import BOTH_WAYS, asked_of_django, by_cookie, by_token, counted, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "express"))


@pytest.fixture
def client(way: str) -> Iterator[httpx.Client]:
    with client_of(serve(express=way == "express")) as client:
        yield client


def lobby(**fields: Any) -> SaleInfo:
    """A sale that opens in a minute, with a document."""
    now = timezone.now()
    times = {"lobby_opens_at": now - timedelta(hours=1), "opens_at": now + timedelta(minutes=1)}
    return written(make_sale(**{"queue_mode": Sale.QueueMode.DRAW} | times | fields))


def opened(**fields: Any) -> SaleInfo:
    """A sale that is open and takes numbers, with a document."""
    return written(make_sale(units=3, queue_mode=Sale.QueueMode.FIRST_COME, **fields))


def written(sale: SaleInfo) -> SaleInfo:
    line.renew(sale, now=timezone.now())
    return sale


def serve_everybody(sale: SaleInfo) -> None:
    """Let the controller serve who has joined: by the second of two runs two seconds apart the place is reached."""
    now = timezone.now()
    line.renew(sale, now=now)
    line.renew(sale, now=now + timedelta(seconds=2))


def post(
    client: httpx.Client, sale: SaleInfo, what: str, who: dict[str, str], **body: Any
) -> httpx.Response:
    return client.post(f"/api/v1/sales/{sale.slug}/{what}/", json=body, headers=who)


def join(client: httpx.Client, sale: SaleInfo, who: dict[str, str], **body: Any) -> httpx.Response:
    return post(client, sale, "ticket", who, **body)


def poll(client: httpx.Client, sale: SaleInfo, **headers: str) -> httpx.Response:
    return client.get(f"/api/v1/sales/{sale.slug}/line/", headers=headers)


# The document


@BOTH_WAYS
def test_the_document_is_sent_as_the_controller_wrote_it(client: httpx.Client) -> None:
    sale = lobby()
    answer = poll(client, sale, Cookie="sessionid=somebody")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == line_document.CACHE_CONTROL
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert "Set-Cookie" not in answer.headers
    assert answer.json() == line_document.read(sale, now=timezone.now())


@BOTH_WAYS
def test_who_has_the_document_gets_304_until_it_is_written_anew(client: httpx.Client) -> None:
    sale = lobby()
    etag = poll(client, sale).headers["ETag"]
    for shown in (etag, f"W/{etag}", f'"other", {etag}'):
        again = poll(client, sale, **{"If-None-Match": shown})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    written(sale)
    later = poll(client, sale, **{"If-None-Match": etag})
    assert later.status_code == 200
    assert later.headers["ETag"] != etag


@BOTH_WAYS
def test_a_crowd_of_polls_costs_one_call_to_redis_and_no_query(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = lobby()
    poll(client, sale)
    line_document.forget(sale.id)
    sales.forget_copies()
    monkeypatch.setattr(line_document, "COPY_SECONDS", 60.0)
    with counted(monkeypatch) as calls:
        for _ in range(20):
            assert poll(client, sale).status_code == 200
    assert calls == {"GET": 1}


@BOTH_WAYS
def test_the_control_a_copy_that_is_too_old_is_read_again(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = lobby()
    monkeypatch.setattr(line_document, "COPY_SECONDS", 0.0)
    poll(client, sale)
    with counted(monkeypatch) as calls:
        for _ in range(3):
            poll(client, sale)
    assert calls == {"GET": 3}


@BOTH_WAYS
def test_with_redis_away_the_document_stands_still(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = opened()
    monkeypatch.setattr(store, "client", away)
    said = poll(client, sale).json()
    assert (said["phase"], said["units_left"], said["serving"]["rate"]) == ("open", 3, 0.0)


def away(*args: object, **more: object) -> None:
    raise redis.ConnectionError


@BOTH_WAYS
def test_a_sale_that_nobody_knows_has_no_document(client: httpx.Client) -> None:
    assert problem(client.get("/api/v1/sales/none/line/")) == (404, "not_found")


@BOTH_WAYS
def test_a_draft_has_no_document(client: httpx.Client) -> None:
    sale = lobby()
    Sale.objects.filter(pk=sale.id).update(status=Sale.Status.DRAFT)
    sales.forget_copies()
    assert problem(poll(client, sale)) == (404, "not_found")


# Joining


@BOTH_WAYS
def test_joining_again_is_the_same_place(client: httpx.Client) -> None:
    sale, user = opened(), make_user()
    who = by_cookie(user.shopper_id)
    first = join(client, sale, who)
    assert first.status_code == 201
    assert (first.json()["place"], first.json()["ahead"]) == (1, 0)
    bodies: list[dict[str, Any]] = [{}, {"ticket": first.json()["ticket"]}]
    for body in bodies:
        again = join(client, sale, who, **body)
        assert (again.status_code, again.json()["place"]) == (200, 1)
    empty = client.post(f"/api/v1/sales/{sale.slug}/ticket/", headers=by_token(user))
    assert (empty.status_code, empty.json()["place"]) == (200, 1)
    assert join(client, sale, by_token(make_user())).json()["place"] == 2


@BOTH_WAYS
def test_in_the_lobby_a_place_is_not_drawn_yet(client: httpx.Client) -> None:
    sale = lobby()
    answer = join(client, sale, by_cookie(make_user().shopper_id))
    assert answer.status_code == 201
    assert answer.json() | {"ticket": ""} == {
        "ticket": "",
        "place": None,
        "ahead": None,
        "estimated_wait_seconds": None,
    }


@BOTH_WAYS
def test_a_ticket_in_the_browser_brings_the_place_back(client: httpx.Client) -> None:
    sale, shopper = opened(), make_user().shopper_id
    ticket = join(client, sale, by_cookie(shopper)).json()["ticket"]
    store.client().flushdb()
    who = by_cookie(shopper)
    who["Cookie"] += f"; ticket-{sale.id}={ticket}"
    assert join(client, sale, by_token(make_user())).json()["place"] == 1  # the counter is lost
    again = join(client, sale, who)
    assert (again.status_code, again.json()["place"]) == (200, 1)
    assert join(client, sale, by_token(make_user())).json()["place"] == 2


@BOTH_WAYS
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Cookie": ""}, 401, "not_authenticated"),
        ({"X-CSRFToken": "t" * 32}, 403, "permission_denied"),
        ({"Origin": "http://elsewhere.example"}, 403, "permission_denied"),
        ({"Authorization": "Token 0123456789"}, 401, "authentication_failed"),
        ({"Accept": "text/html"}, 406, "not_acceptable"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    ],
)
@pytest.mark.parametrize("what", ["ticket", "admission"])
def test_who_may_not_join_or_enter_is_told_so(
    client: httpx.Client, what: str, changes: dict[str, str], status: int, code: str
) -> None:
    sale, shopper = opened(), make_user().shopper_id
    assert join(client, sale, by_cookie(shopper)).status_code == 201
    answer = post(client, sale, what, by_cookie(shopper) | changes, ticket="x")
    assert problem(answer) == (status, code)


@BOTH_WAYS
@pytest.mark.parametrize("what", ["ticket", "admission"])
def test_a_ticket_of_somebody_else_buys_nothing(client: httpx.Client, what: str) -> None:
    sale, other = opened(), opened()
    ada, grace = make_user(), make_user()
    own = join(client, sale, by_token(grace)).json()["ticket"]
    elsewhere = join(client, other, by_token(ada)).json()["ticket"]
    for ticket in (own, elsewhere, own[:-3] + "xyz", "x", "x" * 300, "a:b:c:d:e"):
        answer = post(client, sale, what, by_token(ada), ticket=ticket)
        assert problem(answer) == (403, "ticket_not_valid")


@BOTH_WAYS
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"ticket": 5}', b'{"ticket": ["x"]}', b'{"ticket": "' + b"x" * 301 + b'"}']
)  # fmt: skip
@pytest.mark.parametrize("what", ["ticket", "admission"])
def test_a_body_that_makes_no_sense_is_a_bad_request(
    client: httpx.Client, what: str, body: bytes
) -> None:
    sale = opened()
    headers = by_token(make_user(), **{"Content-Type": "application/json"})
    answer = client.post(f"/api/v1/sales/{sale.slug}/{what}/", content=body, headers=headers)
    assert problem(answer)[0] == (400 if body != b'{"ticket": 5}' else 403)


@BOTH_WAYS
def test_a_line_that_is_not_there_cannot_be_joined(client: httpx.Client) -> None:
    who, soon = by_token(make_user()), timezone.now() + timedelta(hours=1)
    early = lobby(lobby_opens_at=soon, opens_at=soon)
    assert problem(join(client, early, who)) == (409, "not_open")
    assert problem(join(client, make_sale(), who)) == (409, "no_line")


@BOTH_WAYS
def test_with_redis_away_joining_and_entering_are_busy(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, who = opened(), by_token(make_user())
    ticket = join(client, sale, who).json()["ticket"]
    serve_everybody(sale)
    poll(client, sale)
    monkeypatch.setattr(store, "run", away)
    for what in ("ticket", "admission"):
        answer = post(client, sale, what, who, ticket=ticket)
        assert problem(answer) == (503, "busy")
        assert answer.headers["Retry-After"] == "1"


@BOTH_WAYS
def test_joining_too_often_has_to_wait(client: httpx.Client) -> None:
    sale, who = opened(), by_token(make_user())
    answers = [join(client, sale, who) for _ in range(61)]
    assert [answer.status_code for answer in answers] == [201] + [200] * 59 + [429]
    assert problem(answers[-1]) == (429, "too_many_requests")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


@BOTH_WAYS
@pytest.mark.parametrize("make", [lobby, opened])
def test_joining_costs_one_call_to_redis_and_no_query(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, make: Callable[[], SaleInfo]
) -> None:
    sale, shopper = make(), make_user().shopper_id
    monkeypatch.setattr(line_document, "COPY_SECONDS", 60.0)
    assert join(client, sale, by_cookie(make_user().shopper_id)).status_code == 201
    with counted(monkeypatch) as calls:
        assert join(client, sale, by_cookie(shopper)).status_code == 201
    assert calls == {"EVALSHA": 1}


# Entering


@BOTH_WAYS
def test_too_early_and_then_let_in(client: httpx.Client) -> None:
    sale, shopper = opened(), make_user().shopper_id
    who = by_cookie(shopper)
    ticket = join(client, sale, who).json()["ticket"]
    early = post(client, sale, "admission", who, ticket=ticket)
    assert problem(early) == (425, "too_early")
    assert 1 <= int(early.headers["Retry-After"]) <= 60
    serve_everybody(sale)
    entered = post(client, sale, "admission", who, ticket=ticket)
    assert entered.status_code == 201
    assert entered.json().keys() == {"admission", "expires_at"}
    admission = entered.json()["admission"]
    kept = entered.headers["Set-Cookie"].strip()
    assert kept.startswith(f"admission-{sale.id}={admission}; expires=")
    assert kept.endswith("; HttpOnly; Max-Age=180; Path=/; SameSite=Lax")
    again = post(client, sale, "admission", who, ticket=ticket)
    assert (again.status_code, again.json()["admission"]) == (201, admission)


@BOTH_WAYS
def test_a_full_shop_lets_the_next_one_wait(client: httpx.Client) -> None:
    sale = opened(admission_cap=1)
    ada, grace = by_token(make_user()), by_token(make_user())
    tickets = [join(client, sale, who).json()["ticket"] for who in (ada, grace)]
    serve_everybody(sale)
    document = line_document.read(sale, now=timezone.now())
    document["serving"] |= {"base": 2.0, "rate": 0.0}
    line_document._keep(sale.id, document)
    assert post(client, sale, "admission", ada, ticket=tickets[0]).status_code == 201
    full = post(client, sale, "admission", grace, ticket=tickets[1])
    assert problem(full) == (429, "full")
    assert full.headers["Retry-After"] == "2"


@BOTH_WAYS
def test_entering_costs_one_call_to_redis_and_no_query(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, shopper = opened(), make_user().shopper_id
    ticket = join(client, sale, by_cookie(shopper)).json()["ticket"]
    serve_everybody(sale)
    monkeypatch.setattr(line_document, "COPY_SECONDS", 60.0)
    poll(client, sale)
    post(client, sale, "admission", by_cookie(shopper), ticket="x")  # learns Django's headers
    with counted(monkeypatch) as calls:
        answer = post(client, sale, "admission", by_cookie(shopper), ticket=ticket)
    assert answer.status_code == 201
    assert calls == {"EVALSHA": 1}


# What the express way learns


def test_a_slug_that_nobody_knows_does_not_shut_the_express_way() -> None:
    sale = lobby()
    with client_of(serve(express=True)) as client:
        assert client.get("/api/v1/sales/none/line/").status_code == 404
        with asked_of_django() as asked:
            assert poll(client, sale).status_code == 200
        assert asked == []


def test_a_failure_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    sale = lobby()
    statuses = iter(["503 Service Unavailable"] * 2)
    django = serve(express=False)

    def failing_at_first(environ: Any, start_response: Any) -> Any:
        if (status := next(statuses, None)) is None:
            return django(environ, start_response)
        start_response(status, [])
        return HttpResponse()

    with client_of(front.in_front_of(failing_at_first)) as client:
        assert poll(client, sale).status_code == 503
        assert poll(client, sale).status_code == 200
        with asked_of_django() as asked:
            assert poll(client, sale).status_code == 200
        assert asked == []


# The two ways against each other


def test_both_ways_answer_with_the_same_bytes_and_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_document, "COPY_SECONDS", 60.0)
    sale, early, straight = opened(), lobby(), make_sale()
    ada, grace = make_user(), make_user()
    calls: list[Callable[[httpx.Client], httpx.Response]] = [
        lambda client: poll(client, sale),
        lambda client: poll(client, sale, Origin="http://elsewhere.example"),
        lambda client: join(client, sale, by_cookie(ada.shopper_id)),
        lambda client: join(client, sale, by_cookie(ada.shopper_id)),
        lambda client: join(client, sale, by_token(grace), ticket="x"),
        lambda client: join(client, early, by_token(grace)),
        lambda client: join(client, straight, by_token(grace)),
        lambda client: post(client, early, "admission", by_token(grace), ticket="x"),
        lambda client: enter_after_joining(client, sale, by_cookie(ada.shopper_id)),
    ]
    served = {"base": 5.0, "rate": 0.0}
    answers = {}
    for way in (True, False):
        store.client().flushdb()
        documents = {info.id: line.renew(info, now=sale.opens_at) for info in (sale, early)}
        documents[sale.id]["serving"] |= served
        with client_of(serve(express=way)) as client:
            for one in calls:
                one(client)  # the express way has asked Django for its headers now
            for info in (sale, early):
                line_document._keep(info.id, documents[info.id])
            with asked_of_django() as asked:
                answers[way] = [
                    (answer.status_code, sorted(answer.headers.raw), answer.content)
                    for answer in (one(client) for one in calls)
                ]
            assert len(asked) == (0 if way else len(calls) + 1)
    for ours, theirs in zip(answers[True], answers[False], strict=True):
        assert without_moments(ours) == without_moments(theirs)
    statuses = [status for status, *_ in answers[True]]
    assert statuses == [200, 200, 200, 200, 403, 200, 409, 403, 201]
    names = {name.decode().lower() for name, _ in answers[True][0][1]}
    assert names >= {"content-security-policy", "x-content-type-options", "etag", "cache-control"}


def enter_after_joining(
    client: httpx.Client, sale: SaleInfo, who: dict[str, str]
) -> httpx.Response:
    ticket = join(client, sale, who).json()["ticket"]
    return post(client, sale, "admission", who, ticket=ticket)


def without_moments(answer: tuple[int, list[tuple[bytes, bytes]], bytes]) -> object:
    """An answer but for the document's own state, the second of a ticket, and the end of an admission."""
    status, headers, content = answer
    content = re.sub(rb'("ticket":"[^"]+):\d+:[\w-]+"', rb'\1"', content)
    if status == 201:
        headers = [(name, value.strip().partition(b"=")[0]) for name, value in headers]
        content = b""
    return status, [header for header in headers if header[0].lower() != b"etag"], content


@pytest.mark.parametrize("name", ["line", "ticket", "admission", "purchases"])
def test_the_addresses_are_those_of_the_django_routes(name: str) -> None:
    found = front.ADDRESS.fullmatch(reverse(f"api:sale-{name}", args=["a-Sale_1"]))
    assert found is not None
    assert found.groups() == ("a-Sale_1", name)
