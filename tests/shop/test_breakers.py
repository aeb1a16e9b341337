"""When a server that did not answer is asked again."""

import pytest
import redis

from shop.breakers import Breaker

NOW = 1000.0


@pytest.fixture(autouse=True)
def clock_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.breakers.monotonic", lambda: NOW)


def test_each_rest_after_a_failure_is_longer_and_only_one_caller_looks() -> None:
    switch = Breaker()
    assert not switch.is_open
    switch.failed()
    assert switch.is_open
    assert not switch.may_try()
    rests = []
    for _ in range(6):
        switch._rests_until = 0
        assert switch.may_try()
        assert not switch.may_try()
        switch.failed()
        rests.append(switch._rests_until - NOW)
    assert rests == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    switch.worked()
    assert not switch.is_open


def test_a_server_that_is_away_for_hours_is_asked_as_often_as_after_a_minute() -> None:
    switch = Breaker()
    for _ in range(5000):
        switch.failed()
    assert switch._rests_until - NOW == 5.0


def test_some_breakers_open_after_several_failures_in_a_row_alone() -> None:
    switch = Breaker(unanswered=3)
    seen = []
    for step in ("failed", "failed", "worked", "failed", "failed", "failed"):
        getattr(switch, step)()
        seen.append(switch.is_open)
    assert seen == [False] * 5 + [True]


def test_what_redis_refuses_is_an_answer() -> None:
    switch = Breaker()

    def refuse() -> None:
        raise redis.ResponseError("OOM command not allowed")

    with pytest.raises(redis.ResponseError):
        switch.ask(refuse)
    assert switch.ask(str.upper, "ok") == "OK"
