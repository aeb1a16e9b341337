from collections.abc import Iterator

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from shop import ratelimits
from tests.away import cache_away
from tests.factories import make_user

CREDENTIALS = {"login": "robin@example.com", "password": "wrong"}


@pytest.fixture(autouse=True)
def still_clock() -> Iterator[time_machine.Traveller]:
    """Counts are kept per window of the clock: no test may cross its edge."""
    with time_machine.travel("2026-11-24T10:00:00+00:00", tick=False) as traveller:
        yield traveller


def make_request(address: str = "192.0.2.1", forwarded: str = "") -> HttpRequest:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory().post("/", REMOTE_ADDR=address, headers=headers)
    request.user = AnonymousUser()
    return request


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        (0, "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (1, "192.0.2.1", "203.0.113.9", "203.0.113.9"),
        (1, "192.0.2.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "192.0.2.1", "198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (2, "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (1, "192.0.2.1", "", "192.0.2.1"),
        (1, "192.0.2.1", "nonsense", "192.0.2.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:0db8:0001:0002::/64"),
    ],
)
def test_the_address_is_what_trusted_proxies_saw(
    settings: Settings, proxies: int, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert ratelimits.client_address(make_request(peer, forwarded)) == address


def test_the_attempt_after_the_last_allowed_one_has_to_wait(
    still_clock: time_machine.Traveller,
) -> None:
    def attempt(key: str) -> int | None:
        return ratelimits.count_attempt(request=make_request(), name="try", rate="2/1m", key=key)

    assert [attempt("a"), attempt("a")] == [None, None]
    wait = attempt("a")
    assert wait is not None
    assert 1 <= wait <= 60
    assert attempt("b") is None
    still_clock.shift(wait + 1)
    assert attempt("a") is None


def test_with_redis_away_nobody_is_limited_and_only_one_attempt_waits_for_it() -> None:
    def attempt() -> int | None:
        return ratelimits.count_attempt(request=make_request(), name="try", rate="1/1m", key="a")

    assert attempt() is None
    assert attempt() is not None  # the control: the limit works
    with cache_away() as sent:
        assert [attempt() for _ in range(5)] == [None] * 5
    assert len(sent) == 1


def test_guessing_a_password_is_stopped_per_account_with_a_page(db: None, client: Client) -> None:
    user = make_user(email="robin@example.com", password="kelp and salt 9")
    for _ in range(10):
        assert client.post("/accounts/login/", CREDENTIALS).status_code == 200
    right = CREDENTIALS | {"login": "Robin@example.com", "password": "kelp and salt 9"}
    response = Client(REMOTE_ADDR="192.0.2.77").post("/accounts/login/", right)
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 300
    assert "429.html" in [template.name for template in response.templates]
    assert client.get("/accounts/login/").status_code == 200
    assert user.last_login is None
    other = {"login": make_user(password="kelp and salt 9").email, "password": "kelp and salt 9"}
    assert client.post("/accounts/login/", other).status_code == 302


def test_guessing_at_many_accounts_is_stopped_per_address(db: None) -> None:
    codes = [
        Client().post("/accounts/login/", CREDENTIALS | {"login": f"{number}@example.com"})
        for number in range(61)
    ]
    assert [response.status_code for response in codes] == [200] * 60 + [429]


def test_pages_and_api_count_the_same_attempts(db: None, client: Client) -> None:
    for _ in range(10):
        client.post("/accounts/login/", CREDENTIALS)
    response = client.post(
        "/api/v1/auth/token/",
        {"email": "robin@example.com", "password": "wrong"},
        content_type="application/json",
    )
    assert response.status_code == 429
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "too_many_requests"
    assert 1 <= int(response.headers["Retry-After"]) <= 300


def test_with_redis_away_people_still_sign_in(db: None, client: Client) -> None:
    user = make_user(password="kelp and salt 9")
    with cache_away():
        client.post("/accounts/login/", {"login": user.email, "password": "kelp and salt 9"})
    assert client.session["_auth_user_id"] == str(user.pk)
