"""Clicks on Buy are counted in the process, whichever way they come."""

from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory

from flashsale import limits
from shop.ratelimits import TooManyRequestsError
from tests.factories import make_sale, make_user


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of a clock that the test moves."""
    clock = [1000.0]
    monkeypatch.setattr("flashsale.limits.time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def request(address: str = "192.0.2.1", session: str = "") -> HttpRequest:
    made = RequestFactory().post("/", REMOTE_ADDR=address)
    if session:
        made.COOKIES["sessionid"] = session
    return made


def passed(times: int, *, shopper: UUID | None = None, **browser: str) -> int:
    """How many of a number of clicks were let through."""
    count = 0
    for _ in range(times):
        with suppress(TooManyRequestsError):
            limits.count(request(**browser), allowance=limits.BUY, shopper=shopper)
            count += 1
    return count


def test_a_shopper_a_browser_and_an_address_have_limits_of_their_own() -> None:
    ada = uuid4()
    assert passed(30, shopper=ada) == limits.BUY.of_shopper
    assert passed(30, shopper=uuid4()) == limits.BUY.of_shopper
    assert passed(80, session="browser-one") == limits.BUY.of_session
    assert passed(80, session="browser-two") == limits.BUY.of_session
    assert passed(12_500, address="203.0.113.9") == limits.BUY.of_address


def test_the_control_without_limits_every_click_passes(settings: Any) -> None:
    settings.RATELIMIT_ENABLE = False
    assert passed(30, shopper=uuid4()) == 30


def test_a_new_window_lets_everybody_click_again(clock: list[float]) -> None:
    ada = uuid4()
    assert passed(21, shopper=ada) == 20
    clock[0] += limits.WINDOW_SECONDS - 0.5
    with pytest.raises(TooManyRequestsError) as refused:
        limits.count(request(), allowance=limits.BUY, shopper=ada)
    assert refused.value.retry_after == 1
    clock[0] += 0.5
    assert passed(1, shopper=ada) == 1


def test_names_that_somebody_makes_up_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST_COUNTS", 100)
    for number in range(1000):
        limits.count(request(session="x" * 5000 + str(number)), allowance=limits.BUY, shopper=None)
    assert len(limits._window.counts) <= 100 + 2
    assert {type(name) for name in limits._window.counts} == {int}


def test_a_form_and_the_api_count_the_same_clicks(db: None) -> None:
    sale, client = make_sale(units=5), Client()
    client.force_login(make_user())
    client.get("/account/")  # the browser has the shopper's cookie now
    form = {"item": sale.items[0].id, "quantity": 1, "attempt": "one"}
    codes = [client.post(f"/sales/{sale.slug}/buy/", form).status_code for _ in range(20)]
    assert codes == [303] * 20
    page = client.post(f"/sales/{sale.slug}/buy/", form)
    assert page.status_code == 429
    assert 1 <= int(page["Retry-After"]) <= 60
    answer = client.post(
        f"/api/v1/sales/{sale.slug}/purchases/", {"item": 1}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
