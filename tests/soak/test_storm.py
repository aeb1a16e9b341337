"""The storm, short in the suite and long in `make soak`. A failure names its seed and step."""

import os
import random

import pytest
from pytest_django import Settings

from inventory import reservations
from tests.factories import make_sale, make_user
from tests.soak.storm import UNITS, Storm

pytestmark = pytest.mark.django_db(transaction=True)


def storm(settings: Settings, seed: int) -> Storm:
    settings.CLAIM_LEASE_SECONDS = 0
    sale = make_sale(units=UNITS)
    return Storm(sale=sale, shoppers=[make_user() for _ in range(20)], seed=seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_storm_sells_a_unit_twice_or_loses_one(settings: Settings, seed: int) -> None:
    storm(settings, seed).run(120)


def test_control_a_release_that_forgets_the_stock_is_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "_per_stock", lambda rows: [])
    with pytest.raises(AssertionError, match=r"seed 1, step \d+"):
        storm(settings, 1).run(120)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_long_storm_sells_no_unit_twice_and_loses_none(settings: Settings) -> None:
    """SOAK_STEPS steps (default 20,000) in storms of 2,000; SEED replays one."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**9)
    for number in range(int(os.environ.get("SOAK_STEPS", "20000")) // 2000):
        print(f"SEED={seed + number}", flush=True)
        storm(settings, seed + number).run(2000)
