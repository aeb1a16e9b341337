"""500 buyers, 20 units, four real processes: what many engines lose, and the control that shows it."""

import os
import subprocess
from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from flashsale import drain, gate
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from inventory.models import Holding, Reservation, Stock
from shop.models import User
from tests.factories import make_sale
from tests.stack import PYTHON, ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS, UNITS, PROCESSES = 500, 20, 4


def a_sale_and_its_crowd(**fields: Any) -> SaleInfo:
    password = make_password(None)
    User.objects.bulk_create(
        User(email=f"buyer-{number}@example.com", password=password) for number in range(BUYERS)
    )
    sale = make_sale(units=UNITS, **fields)
    gate.sync(sale, now=timezone.now())
    return sale


def everybody_buys(sale: SaleInfo, *, way: str) -> Counter[str]:
    share = BUYERS // PROCESSES
    processes = [
        subprocess.Popen(
            [PYTHON, "-m", "tests.races.buyers", way, sale.slug, str(first), str(first + share)],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": database_url()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(0, BUYERS, share)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes: Counter[str] = Counter()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outcomes.update(output.split())
    return outcomes


@pytest.mark.parametrize("strategy", ["redis", "lock", "version"])
def test_500_buyers_of_20_units_get_exactly_20(strategy: str) -> None:
    sale = a_sale_and_its_crowd(strategy=strategy)
    outcomes = everybody_buys(sale, way="claim")
    drain.drain(sale, consumer="the last")
    assert outcomes == {"accepted": UNITS, "sold_out": BUYERS - UNITS}
    assert Reservation.objects.filter(state="held").count() == UNITS
    assert Purchase.objects.filter(refusal="").values("shopper").distinct().count() == UNITS
    assert not Holding.objects.filter(units__gt=1).exists()
    stock = Stock.objects.get(pool=sale.scope)
    assert (stock.on_hand, stock.allocated) == (UNITS, UNITS)


def test_control_reading_and_then_writing_oversells() -> None:
    sale = a_sale_and_its_crowd()
    everybody_buys(sale, way="naive")
    assert Reservation.objects.count() > UNITS
