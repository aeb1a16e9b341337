"""A worker is killed with claims in hand (failures 13, 14, 22): they are settled once, by another one."""

import os
import signal
import subprocess
import time

import pytest
from django.utils import timezone
from pytest_django import Settings

from flashsale import drain, gate
from flashsale.drain import Drained
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from inventory.models import StockMovement
from tests.factories import make_user
from tests.faults.proof import Units, claim, free_at_the_gate, open_sale, proven_units, queued
from tests.stack import PYTHON, ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMS, UNITS = 4, 6


def killed_drain(sale: SaleInfo, *, point: str) -> None:
    process = subprocess.run(
        [PYTHON, "-m", "tests.faults.dying_drain", sale.slug, point],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url()},
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL


def drained_by_another(sale: SaleInfo, settings: Settings) -> Drained:
    """Nobody is given the claims before the lease is over, and then the first who asks."""
    settings.CLAIM_LEASE_SECONDS = 60
    assert drain.drain(sale, consumer="other") == Drained(held=0, refused=0, is_empty=True)
    settings.CLAIM_LEASE_SECONDS = 1
    time.sleep(1)
    return drain.drain(sale, consumer="other")


@pytest.mark.parametrize(
    ("point", "settled", "left"),
    [
        ("taken", 0, CLAIMS),
        ("not committed", 0, CLAIMS),
        ("committed", CLAIMS, CLAIMS),
        ("acknowledged", CLAIMS, 0),
    ],
)
def test_claims_of_a_killed_worker_are_settled_exactly_once(
    point: str, settled: int, left: int, settings: Settings
) -> None:
    sale = open_sale(units=UNITS)
    bought = {claim(sale, make_user()) for _ in range(CLAIMS)}
    killed_drain(sale, point=point)
    assert (Purchase.objects.count(), queued(sale)) == (settled, left)
    assert drained_by_another(sale, settings).held == CLAIMS - settled
    assert queued(sale) == 0
    held = Purchase.objects.filter(refusal="", reservation__state="held")
    assert set(held.values_list("pk", flat=True)) == bought
    movement = StockMovement.objects.get(kind="allocate")
    assert (movement.allocated_change, movement.reservations) == (CLAIMS, CLAIMS)
    gate.sync(sale, now=timezone.now())
    assert free_at_the_gate(sale) == UNITS - CLAIMS
    assert proven_units(sale) == Units(sold=0, held=CLAIMS, free=UNITS - CLAIMS)


def test_control_acknowledging_before_settling_loses_the_claims(settings: Settings) -> None:
    sale = open_sale(units=UNITS)
    for _ in range(CLAIMS):
        claim(sale, make_user())
    killed_drain(sale, point="acknowledged before it was settled")
    assert drained_by_another(sale, settings).held == 0
    assert (Purchase.objects.count(), queued(sale)) == (0, 0)
    # The shoppers lose, the merchant does not: the units are for sale again.
    gate.sync(sale, now=timezone.now())
    assert free_at_the_gate(sale) == UNITS
    assert proven_units(sale) == Units(sold=0, held=0, free=UNITS)
