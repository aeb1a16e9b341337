from dataclasses import replace

from flashsale.controller import CALL_SECONDS, Inputs, Memory, Serving, decide

START = Memory(serving=Serving(base=0.0, rate=0.0, at=0.0, until=0.0))
INPUTS = Inputs(now=0.0, last_place=500, active=0, entered=0, cap=50, units_free=100, is_open=True)


def served_after(memory: Memory, seconds: float) -> float:
    return memory.serving.number_at(memory.serving.at + seconds)


def test_nobody_is_served_before_the_sale_is_open() -> None:
    assert served_after(decide(START, replace(INPUTS, is_open=False)), 10) == 0


def test_as_many_are_served_as_the_cap_has_room_for() -> None:
    memory = decide(START, INPUTS)
    assert served_after(memory, 0.5) == 25
    assert served_after(memory, 1) == 50


def test_no_more_are_served_than_there_are_free_units() -> None:
    assert served_after(decide(START, replace(INPUTS, units_free=7)), 1) == 7


def test_no_more_are_served_than_are_in_line() -> None:
    assert served_after(decide(START, replace(INPUTS, last_place=3)), 1) == 3


def test_without_the_next_run_the_serving_number_stands_still() -> None:
    assert served_after(decide(START, INPUTS), 3600) == 50


def test_those_who_were_called_keep_their_room_until_they_come_or_miss_their_turn() -> None:
    memory = decide(START, INPUTS)
    memory = decide(memory, replace(INPUTS, now=1.0))
    assert served_after(memory, 1) == 50
    memory = decide(memory, replace(INPUTS, now=2.0, entered=20, active=20))
    assert served_after(memory, 1) == 50
    memory = decide(memory, replace(INPUTS, now=3.0 + CALL_SECONDS, entered=20, active=0))
    assert served_after(memory, 1) == 100


def test_a_unit_that_comes_back_calls_one_more_shopper() -> None:
    sold_out = replace(INPUTS, units_free=0, entered=50)
    memory = Memory(serving=Serving(base=50.0, rate=0.0, at=0.0, until=0.0))
    memory = decide(memory, sold_out)
    assert served_after(memory, 1) == 50
    memory = decide(memory, replace(sold_out, now=1.0, units_free=1))
    assert served_after(memory, 1) == 51
    assert memory.serving.has_reached(51, 2.0)
    assert not memory.serving.has_reached(52, 2.0)


def test_runs_that_come_early_still_reach_whole_shoppers() -> None:
    memory = START
    for tick in range(8):
        memory = decide(memory, replace(INPUTS, now=tick * 0.7, units_free=1))
    assert served_after(memory, 1) == 1


def test_the_serving_number_never_goes_back() -> None:
    memory = Memory(serving=Serving(base=80.0, rate=0.0, at=0.0, until=0.0))
    memory = decide(memory, replace(INPUTS, active=50, entered=60, units_free=5))
    assert served_after(memory, 1) == 80


def test_memory_survives_its_text() -> None:
    memory = decide(START, INPUTS)
    assert Memory.loads(memory.dumps()) == memory
