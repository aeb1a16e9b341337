"""How figures of the line are told; `tests/browser/test_line_page.py` holds the browser to the same."""

import pytest

from flashsale.showing import figure, rounded, wait_in_words


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (1, "1"),
        (100, "100"),
        (101, "about 100"),
        (105, "about 110"),
        (347, "about 350"),
        (999, "about 1,000"),
        (1234, "about 1,230"),
        (1235, "about 1,240"),
        (12_340, "about 12,300"),
        (12_350, "about 12,400"),
        (9_999_999, "about 10,000,000"),
    ],
)
def test_a_figure_is_exact_up_to_a_hundred_and_owns_up_to_its_rounding(
    number: int, told: str
) -> None:
    assert figure(number) == told


def test_rounding_never_turns_two_places_around_and_stays_close() -> None:
    numbers = [*range(3000), *range(3000, 3_000_000, 997)]
    told = [rounded(number) for number in numbers]
    assert told == sorted(told)
    errors = [
        abs(number - shown) / number for number, shown in zip(numbers, told, strict=True) if number
    ]
    assert max(errors) <= 0.05


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, None),
        (0, "less than a minute"),
        (44.9, "less than a minute"),
        (45, "about 1 minute"),
        (120, "2 to 3 minutes"),
        (600, "8 to 15 minutes"),
        (4700, "63 to 118 minutes"),
        (4800, "1 to 2 hours"),
        (20_000, "4 to 9 hours"),
    ],
)
def test_a_wait_is_told_as_a_range_that_nobody_needs_to_be_sorry_for(
    seconds: float | None, told: str | None
) -> None:
    assert wait_in_words(seconds) == told
