"""The one rounding rule, and how an amount is spread over lines."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from shop.money import percent_of, rounded, smallest_unit, spread, tax_on

cents = st.integers(0, 1_000_00).map(lambda number: Decimal(number) / 100)


@pytest.mark.parametrize(
    ("amount", "result"),
    [
        ("1.005", "1.01"),
        ("1.004", "1.00"),
        ("2.675", "2.68"),
        ("0.005", "0.01"),
        ("-1.005", "-1.01"),
    ],
)
def test_halves_are_rounded_up(amount: str, result: str) -> None:
    assert rounded(Decimal(amount), "EUR") == Decimal(result)


def test_control_pythons_own_rounding_is_another_one() -> None:
    assert Decimal("2.665").quantize(Decimal("0.01"), ROUND_HALF_EVEN) == Decimal("2.66")
    assert rounded(Decimal("2.665"), "EUR") == Decimal("2.67")


def test_a_currency_has_its_own_smallest_unit(settings: Settings) -> None:
    assert (smallest_unit("EUR"), smallest_unit("JPY")) == (Decimal("0.01"), Decimal(1))
    assert rounded(Decimal("104.5"), "JPY") == Decimal(105)
    settings.CURRENCY = "JPY"
    assert percent_of(Decimal(105), Decimal(10)) == Decimal(11)


def test_tax_is_in_a_price_or_on_top_of_it() -> None:
    assert tax_on(Decimal("119.00"), Decimal(19), is_included=True) == Decimal("19.00")
    assert tax_on(Decimal("100.00"), Decimal(5), is_included=False) == Decimal("5.00")
    assert tax_on(Decimal("9.99"), Decimal(19), is_included=True) == Decimal("1.60")
    assert tax_on(Decimal("9.99"), Decimal(0), is_included=True) == 0


def test_what_does_not_divide_is_the_last_ones() -> None:
    thirds = spread(Decimal("10.00"), [Decimal("20.00")] * 3)
    assert thirds == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
    assert spread(Decimal("5.00"), [Decimal("1.00"), Decimal("2.00")]) == [1, 2]
    assert spread(Decimal("5.00"), [Decimal(0), Decimal(0)]) == [0, 0]
    # The last one is too small for what is left over: the one before it takes it.
    parts = [Decimal("3.33"), Decimal("3.33"), Decimal("3.33"), Decimal("0.01")]
    assert spread(Decimal("9.98"), parts) == [
        Decimal("3.32"),
        Decimal("3.32"),
        Decimal("3.33"),
        Decimal("0.01"),
    ]


@given(amount=cents, over=st.lists(cents, min_size=1, max_size=8))
def test_shares_add_up_and_take_no_part_below_zero(amount: Decimal, over: list[Decimal]) -> None:
    shares = spread(amount, over)
    assert sum(shares) == min(amount, sum(over))
    assert all(0 <= share <= part for share, part in zip(shares, over, strict=True))
