"""A worker is told to stop with a batch in hand: it finishes the batch, and the rest is left for another."""

import os
import signal
import subprocess
import sys

import pytest
from pytest_django import Settings

from flashsale import drain, store
from flashsale.drain import Drained
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from tests.clicks import claim, open_sale, queued
from tests.factories import make_user
from tests.faults.proof import Units, proven_units
from tests.stack import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMS, BATCH = 6, 2

#: A worker that is told to stop while it settles its first batch; FINISHING is off in the control. Its second thread is
#: what libraries start: a signal that is blocked for the first alone would end the process by way of it.
WORKER = """
import contextlib, os, signal, sys, threading, time
import django
django.setup()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
from flashsale import drain, sales, settling

settle = settling.settle

def told_to_stop_meanwhile(sale, claims):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    return settle(sale, claims)

settling.settle = told_to_stop_meanwhile
if sys.argv[2] == "off":
    drain._finishing_first = contextlib.nullcontext
drain.drain(sales.find(sys.argv[1]), consumer="stopped")
"""


def stopped_worker(sale: SaleInfo, *, finishing: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", WORKER, sale.slug, finishing],
        cwd=ROOT,
        env=os.environ
        | {
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PURCHASE_BATCH_SIZE": str(BATCH),
        },
        timeout=60,
        check=False,
    )
    assert process.returncode == -signal.SIGTERM


def in_hand(sale: SaleInfo) -> int:
    return int(store.client().xpending(key(sale.id, "claims"), drain.GROUP)["pending"])


def test_a_worker_that_is_told_to_stop_finishes_its_batch_and_takes_no_other(
    settings: Settings,
) -> None:
    sale = open_sale(units=CLAIMS)
    for _ in range(CLAIMS):
        claim(sale, make_user())
    stopped_worker(sale, finishing="on")
    assert (Purchase.objects.count(), queued(sale), in_hand(sale)) == (BATCH, CLAIMS - BATCH, 0)
    # Nobody has to wait for a lease.
    settings.CLAIM_LEASE_SECONDS = 60
    assert drain.drain(sale, consumer="other") == Drained(
        held=CLAIMS - BATCH, refused=0, is_empty=True
    )
    assert proven_units(sale) == Units(sold=0, held=CLAIMS, free=0)


def test_control_a_worker_that_stops_at_once_leaves_its_claims_to_the_lease(
    settings: Settings,
) -> None:
    sale = open_sale(units=CLAIMS)
    for _ in range(CLAIMS):
        claim(sale, make_user())
    stopped_worker(sale, finishing="off")
    assert (Purchase.objects.count(), queued(sale), in_hand(sale)) == (0, CLAIMS, BATCH)
    settings.CLAIM_LEASE_SECONDS = 60
    assert drain.drain(sale, consumer="other").held == CLAIMS - BATCH
