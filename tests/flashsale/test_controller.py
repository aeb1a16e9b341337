import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.line_simulation import RATE_TARGET, SCENARIOS, WAIT_TARGET, Run, Scenario, simulate
from flashsale import controller
from flashsale.controller import (
    BACKLOG_SECONDS,
    CATCH_UP_SECONDS,
    FASTEST,
    PERIOD_SECONDS,
    RESPONSE_SECONDS,
    Inputs,
    Memory,
    Reason,
    Serving,
    decide,
)

START = Memory(serving=Serving(base=0.0, rate=0.0, at=0.0, until=0.0))
INPUTS = Inputs(
    now=0.0,
    last_place=500,
    active=0,
    entered=0,
    cap=50,
    units_free=100,
    is_open=True,
    admission_seconds=180,
)


def served_after(memory: Memory, seconds: float) -> float:
    return memory.serving.number_at(memory.serving.at + seconds)


def run(memory: Memory, *, seconds: int, since: int = 0, **inputs: object) -> Memory:
    """Run the controller once a second, with the same inputs each time."""
    for second in range(since, since + seconds):
        memory = decide(memory, replace(INPUTS, now=float(second), **inputs))  # type: ignore[arg-type]
    return memory


def test_nobody_is_served_before_the_sale_is_open() -> None:
    memory = decide(START, replace(INPUTS, is_open=False))
    assert served_after(memory, 10) == 0
    assert (memory.reason, memory.serving.pace) == (Reason.CLOSED, None)


def test_as_many_are_served_as_the_cap_has_room_for() -> None:
    memory = decide(START, INPUTS)
    assert served_after(memory, 0.5) == 25
    assert served_after(memory, 1) == 50
    assert memory.reason is Reason.CAP


def test_no_more_are_served_than_there_are_free_units() -> None:
    memory = decide(START, replace(INPUTS, units_free=7))
    assert served_after(memory, 1) == 7
    assert memory.reason is Reason.UNITS


def test_no_more_are_served_than_are_in_line() -> None:
    memory = decide(START, replace(INPUTS, last_place=3))
    assert served_after(memory, 1) == 3
    assert memory.reason is Reason.EVERYONE_SERVED


def test_nobody_is_served_in_a_pause_and_nobody_can_say_how_long_it_takes() -> None:
    memory = decide(START, replace(INPUTS, is_open=False, is_paused=True))
    assert served_after(memory, 10) == 0
    assert (memory.reason, memory.serving.pace) == (Reason.PAUSED, None)


def test_a_pause_makes_no_no_shows_of_those_who_were_called() -> None:
    memory = run(START, seconds=2)
    memory = run(memory, since=2, seconds=60, is_open=False, is_paused=True)
    assert memory.show_up == 1


def test_a_long_purchase_queue_stops_the_line_until_it_is_shorter() -> None:
    memory = decide(START, replace(INPUTS, backlog_seconds=BACKLOG_SECONDS + 0.1))
    assert (served_after(memory, 1), memory.reason) == (0, Reason.BACKLOG)
    memory = decide(memory, replace(INPUTS, now=1.0, backlog_seconds=BACKLOG_SECONDS))
    assert (served_after(memory, 1), memory.reason) == (50, Reason.CAP)


def test_without_the_next_run_the_serving_number_stands_still() -> None:
    assert served_after(decide(START, INPUTS), 3600) == 50


def test_those_who_were_called_keep_their_room_until_they_come_or_miss_their_turn() -> None:
    memory = run(START, seconds=4, units_free=1)
    assert served_after(memory, 1) == 1
    memory = run(memory, since=4, seconds=4, units_free=1)
    assert served_after(memory, 1) == 2


def test_those_who_came_are_not_counted_twice() -> None:
    memory = decide(START, INPUTS)
    memory = decide(memory, replace(INPUTS, now=1.0))
    assert served_after(memory, 1) == 50
    memory = decide(memory, replace(INPUTS, now=3.5, entered=20, active=10))
    # Of fifty who were called twenty came and ten of them have left: the other thirty are waited for.
    assert served_after(memory, 1) == 60


def test_a_unit_that_comes_back_calls_one_more_shopper() -> None:
    sold_out = replace(INPUTS, units_free=0, entered=50)
    memory = Memory(serving=Serving(base=50.0, rate=0.0, at=0.0, until=0.0))
    memory = decide(memory, sold_out)
    assert served_after(memory, 1) == 50
    assert (memory.reason, memory.serving.pace) == (Reason.UNITS, None)
    memory = decide(memory, replace(sold_out, now=1.0, units_free=1))
    assert served_after(memory, 1) == 51
    assert memory.serving.has_reached(51, 2.0)
    assert not memory.serving.has_reached(52, 2.0)


def test_runs_that_come_early_still_reach_whole_shoppers() -> None:
    memory = START
    for tick in range(6):
        memory = decide(memory, replace(INPUTS, now=tick * 0.7, units_free=1))
    assert served_after(memory, 1) == 1


def test_a_clock_that_is_behind_takes_no_call_back() -> None:
    memory = run(START, seconds=3)
    memory = decide(memory, replace(INPUTS, now=0.5))
    assert memory.serving.at == 2.0
    assert memory.serving.number_at(2.0) == 50


def test_a_clock_that_was_ahead_and_is_set_right_does_not_stop_the_line() -> None:
    memory = run(START, seconds=3)
    ahead = decide(memory, replace(INPUTS, now=3600.0))
    called = ahead.serving.base
    memory = run(ahead, seconds=10, since=4, entered=50, active=0)
    assert memory.serving.at == 13.0
    assert memory.serving.number_at(14.0) > called


def test_control_within_the_skew_of_clocks_the_line_waits_for_the_later_one() -> None:
    memory = decide(run(START, seconds=3), replace(INPUTS, now=6.0))
    assert run(memory, seconds=2, since=4, entered=50, active=0).serving.at == 6.0


def test_a_line_that_lost_its_last_places_is_not_taken_back() -> None:
    memory = Memory(serving=Serving(base=80.0, rate=0.0, at=0.0, until=0.0))
    memory = decide(memory, replace(INPUTS, last_place=60, active=50, entered=60, units_free=5))
    assert served_after(memory, 1) == 80


def test_memory_survives_its_text() -> None:
    memory = run(START, seconds=9, pace=2.0, entered=3, active=2)
    assert Memory.loads(memory.dumps()) == memory


def test_after_a_stall_the_line_goes_on_at_its_pace_and_makes_nothing_of_it_up() -> None:
    memory = START
    for second in range(60):
        inputs = replace(INPUTS, now=float(second), pace=1.0, entered=second)
        memory = decide(memory, inputs)
    before = memory.serving.number_at(60)
    late = decide(memory, replace(INPUTS, now=90.0, pace=1.0, entered=60))
    assert late.serving.base == before
    assert late.serving.rate <= FASTEST / late.show_up
    assert late.debt <= memory.debt + 2


def test_what_is_missing_from_a_pace_is_remembered_for_some_seconds_and_not_for_ever() -> None:
    memory = run(START, seconds=120, pace=1.0, last_place=99_999)
    assert memory.reason is Reason.PACE
    assert memory.debt == CATCH_UP_SECONDS
    assert memory.serving.rate <= FASTEST / memory.show_up


def test_the_first_wait_that_is_told_comes_from_the_rules_of_the_sale() -> None:
    # 50 at a time, for half of 180 seconds each.
    assert decide(START, INPUTS).serving.pace == pytest.approx(50 / 90)
    assert decide(START, replace(INPUTS, pace=0.25)).serving.pace == 0.25
    assert decide(START, replace(INPUTS, units_free=9)).serving.pace == pytest.approx(9 / 90)


def test_a_wait_is_what_the_pace_takes_behind_what_is_being_served_already() -> None:
    serving = Serving(base=10.0, rate=20.0, at=100.0, until=101.0, pace=2.0)
    assert serving.seconds_to(10, 100.0) == 0
    assert serving.seconds_to(20, 100.0) == 0.5
    assert serving.seconds_to(30, 100.25) == 0.75
    assert serving.seconds_to(40, 100.25) == 0.75 + 5
    assert serving.seconds_to(40, 105.0) == 5
    assert replace(serving, pace=None).seconds_to(40, 100.25) is None


def test_how_long_shoppers_stay_is_learned_from_those_who_leave() -> None:
    # Ten inside all the time, one out and one in each second: ten seconds each.
    memory = START
    for second in range(600):
        memory = decide(
            memory, replace(INPUTS, now=float(second), last_place=9999, active=10, entered=second)
        )
    # The guess of 90 seconds counts as ten stays among the sixty that are remembered.
    assert memory.mean_stay(180) == pytest.approx((60 * 10 + 10 * 90) / 70, rel=0.01)


COUNTS = st.integers(min_value=0, max_value=10_000)


@given(
    steps=st.lists(
        st.builds(
            dict,
            after=st.floats(min_value=-0.5, max_value=40),
            joined=COUNTS,
            active=COUNTS,
            came=COUNTS,
            cap=st.integers(min_value=1, max_value=1000),
            units_free=COUNTS,
            is_open=st.booleans(),
            pace=st.none() | st.floats(min_value=1 / 60, max_value=1000),
            backlog_seconds=st.floats(min_value=0, max_value=10),
        ),
        max_size=30,
    )
)
def test_whatever_it_is_told_the_serving_number_goes_up_ends_in_the_line_and_stands_still(
    steps: list[dict[str, float]],
) -> None:
    memory, now, last, entered = START, 0.0, 0, 0
    for step in steps:
        change = dict(step)
        now += change.pop("after")
        last += int(change.pop("joined"))
        entered += int(change.pop("came"))
        before = memory.serving
        memory = decide(
            memory,
            replace(INPUTS, now=now, last_place=last, entered=entered, **change),  # type: ignore[arg-type]
        )
        serving = memory.serving
        for moment in (serving.at, serving.at + 0.5, serving.until):
            assert serving.number_at(moment) >= before.number_at(moment if moment <= now else now)
        assert serving.rate >= 0
        assert serving.number_at(math.inf) == serving.number_at(serving.until)
        assert serving.number_at(math.inf) <= last + controller.TOLERANCE
        assert serving.until <= max(now, before.at) + PERIOD_SECONDS
        assert controller.LEAST_SHOW_UP <= memory.show_up <= 1
        assert memory.no_shows >= 0
        if not step["is_open"] or step["backlog_seconds"] > BACKLOG_SECONDS:
            assert serving.rate == 0
        if step["active"] >= step["units_free"]:
            assert serving.rate == 0
        assert len(memory.points) <= 2 * len(steps) + 2
        assert memory.points[-1].at - memory.points[1].at <= RESPONSE_SECONDS


HALF = next(scenario for scenario in SCENARIOS if scenario.name == "half never come")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_cap_holds_the_pace_is_kept_and_waits_are_told_as_they_are(scenario: Scenario) -> None:
    run = simulate(scenario)
    said = run.summary()
    assert run.breaches == 0
    assert said["median_wait_error"] <= WAIT_TARGET
    if scenario.pace is None:
        assert said["use_of_cap"] >= 0.96
    else:
        assert said["minutes_at_pace"] >= 15
        assert said["worst_minute_error"] <= RATE_TARGET


def test_a_backend_that_becomes_slow_is_met_with_fewer_calls() -> None:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == "slow backend")
    run = simulate(replace(scenario, minutes=14))
    before, slow, after = (run.entries_by_minute()[minute] for minute in (7, 10, 13))
    assert run.seconds[600].reason is Reason.CAP
    assert slow < 0.6 * before
    assert abs(after / before - 1) <= RATE_TARGET


def everybody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller as it would be if it took everybody to come."""
    monkeypatch.setattr(controller, "LEAST_SHOW_UP", 1.0)


def inside_of_bots(comes: float) -> Run:
    """A small sale in whose line most places belong to bots without cookies, who never come."""
    return simulate(Scenario("bots", minutes=6, comes=comes, cap=20, stay=10.0))


def test_bots_without_cookies_do_not_stall_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run = simulate(replace(HALF, minutes=6))
    assert run.summary()["worst_minute_error"] <= RATE_TARGET
    with_bots, without = (
        inside_of_bots(0.1).entries_by_minute(),
        inside_of_bots(1).entries_by_minute(),
    )
    assert sum(with_bots[2:]) >= 0.8 * sum(without[2:])

    everybody_comes(monkeypatch)
    control = simulate(replace(HALF, minutes=6))
    assert max(control.rate_errors()) > 0.2
    stalled = inside_of_bots(0.1).entries_by_minute()
    assert sum(stalled[2:]) < 0.5 * sum(without[2:])
