from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from config import priorities
from flashsale import middleware, shedding
from flashsale.models import LoadLevel
from flashsale.shedding import InForce, Level, NotAllowed, Priority

#: Nobody listens there.
CLOSED_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Each test is a process that knows nothing yet."""
    _start_anew()
    yield
    _start_anew()


def _start_anew() -> None:
    shedding._memory.known = shedding.NORMAL
    shedding._forget()
    shedding._client.cache_clear()


def brownout(minutes: int = 30) -> LoadLevel:
    return shedding.set_level(
        level=Level.BROWNOUT, minutes=minutes, reason="a rush", set_by="staff@example.com"
    )


@pytest.mark.parametrize(
    ("level", "priority", "expected"),
    [
        (Level.NORMAL, Priority.OPTIONAL, False),
        (Level.BROWNOUT, Priority.OPTIONAL, True),
        (Level.BROWNOUT, Priority.BROWSING, False),
        (Level.BROWNOUT, Priority.CHECKOUT, False),
    ],
)
def test_a_brownout_sheds_what_is_optional_alone(
    level: Level, priority: Priority, expected: bool
) -> None:
    assert shedding.is_shed(level=level, priority=priority) is expected


def test_a_level_whose_time_is_over_is_normal_by_itself() -> None:
    now = timezone.now()
    known = InForce(Level.BROWNOUT, now)
    assert shedding.at(known, now=now - timedelta(microseconds=1)) == known
    assert shedding.at(known, now=now) == shedding.NORMAL


@pytest.mark.django_db
def test_a_level_is_recorded_and_in_force_at_once() -> None:
    row = brownout(minutes=30)
    assert (row.level, row.reason, row.set_by) == ("brownout", "a rush", "staff@example.com")
    assert row.until is not None
    assert timedelta(minutes=29) < row.until - timezone.now() <= timedelta(minutes=30)
    assert shedding.current() == InForce(Level.BROWNOUT, row.until)


@pytest.mark.django_db
def test_another_process_learns_it_from_redis_without_a_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    row = brownout()
    _start_anew()
    with django_assert_num_queries(0):
        assert shedding.current() == InForce(Level.BROWNOUT, row.until)


@pytest.mark.django_db
def test_a_process_looks_again_after_half_a_second() -> None:
    assert shedding.current() == shedding.NORMAL
    key = {"level": "brownout", "until": None}
    with redis.Redis.from_url(settings.REDIS_URL) as other:
        other.set(shedding.KEY, str(key).replace("'", '"').replace("None", "null"))
    assert shedding.current() == shedding.NORMAL
    shedding._memory.look_at -= shedding.LOOK_SECONDS
    assert shedding.current().level == Level.BROWNOUT


@pytest.mark.django_db
def test_normal_takes_the_level_back() -> None:
    brownout()
    shedding.set_level(level=Level.NORMAL, minutes=None, reason="over", set_by="staff@example.com")
    assert shedding.current() == shedding.NORMAL
    _start_anew()
    assert shedding.current() == shedding.NORMAL
    assert list(LoadLevel.objects.values_list("level", flat=True)) == ["normal", "brownout"]


@pytest.mark.django_db
def test_what_redis_lost_is_published_again() -> None:
    row = brownout()
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.flushdb()
    _start_anew()
    assert shedding.current() == shedding.NORMAL
    shedding.publish()
    _start_anew()
    assert shedding.current() == InForce(Level.BROWNOUT, row.until)


@pytest.mark.django_db
def test_with_redis_away_the_level_is_read_from_postgresql(settings: Settings) -> None:
    settings.REDIS_URL = CLOSED_REDIS
    row = brownout()
    assert shedding.current() == InForce(Level.BROWNOUT, row.until)


@pytest.mark.django_db
def test_with_both_away_the_last_level_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = brownout()
    assert shedding.current().level == Level.BROWNOUT
    settings.REDIS_URL = CLOSED_REDIS
    shedding._client.cache_clear()
    shedding._memory.look_at = 0.0

    def away(**_: object) -> InForce:
        raise OperationalError

    monkeypatch.setattr(shedding, "recorded", away)
    assert shedding.current() == InForce(Level.BROWNOUT, row.until)


@pytest.mark.parametrize(
    ("level", "minutes", "reason", "message"),
    [
        (Level.BROWNOUT, 30, " ", "reason"),
        (Level.BROWNOUT, None, "a rush", "end"),
        (Level.BROWNOUT, 0, "a rush", "between 1 and 1440"),
        (Level.NORMAL, 1441, "a rush", "between 1 and 1440"),
    ],
)
@pytest.mark.django_db
def test_a_level_without_sense_is_refused_and_nothing_is_recorded(
    level: Level, minutes: int | None, reason: str, message: str
) -> None:
    with pytest.raises(NotAllowed, match=message):
        shedding.set_level(level=level, minutes=minutes, reason=reason, set_by="staff@example.com")
    assert not LoadLevel.objects.exists()
    assert shedding.current() == shedding.NORMAL


# The middleware


@pytest.mark.django_db
def test_a_shed_page_is_light_and_says_when_to_come_back(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    brownout()
    with django_assert_num_queries(0):
        answer = client.get("/p/lamp/reviews/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert b"<html" in answer.content
    assert not answer.cookies


@pytest.mark.django_db
def test_a_shed_fragment_is_empty(client: Client) -> None:
    brownout()
    answer = client.get("/p/lamp/reviews/", headers={"Sec-Fetch-Dest": "empty"})
    assert (answer.status_code, answer.content) == (503, b"")


@pytest.mark.django_db
def test_a_shed_api_call_gets_a_problem_document() -> None:
    answer = middleware._shed(RequestFactory().get("/api/v1/products/"))
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert b'"code": "shed"' in answer.content


@pytest.mark.django_db
def test_checkout_goes_on_in_a_brownout(client: Client) -> None:
    brownout()
    assert client.get("/checkout/").status_code in (200, 302)
    assert client.get("/cart/").status_code == 200


@pytest.mark.django_db
def test_the_same_page_is_served_at_the_normal_level(client: Client) -> None:
    assert client.get("/p/lamp/reviews/").status_code == 404


# The declarations


def _names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _names(entry, inner)
        elif isinstance(entry, URLPattern) and entry.name:
            yield f"{namespace}{entry.name}"


def test_every_named_route_has_a_declared_priority() -> None:
    names = set(_names(get_resolver()))
    assert {"shop:checkout", "flashsale:sale"} <= names
    assert sorted(name for name in names if priorities.declared(name) is None) == []


def test_every_declared_route_exists() -> None:
    names = set(_names(get_resolver()))
    assert sorted(set(priorities.ROUTES) - names) == []


def test_an_undeclared_route_would_be_found() -> None:
    assert priorities.declared("shop:surprise") is None


def test_checkout_is_shed_last() -> None:
    checkout = priorities.priority_of("shop:checkout")
    assert checkout > priorities.priority_of("shop:home") > Priority.OPTIONAL
