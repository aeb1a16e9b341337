"""The state machine: short in the suite, long in `make soak`; and for each guard, the machine without it goes red.

`SEED=` replays a run: the seed is printed with every failure.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from flashsale import drain, settling, store
from inventory import holdings, reservations
from inventory.models import Reservation
from tests.proof.crash_points import Point
from tests.proof.machine import SaleMachine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_lease(settings: Settings) -> None:
    """A worker that died is found out at once."""
    settings.CLAIM_LEASE_SECONDS = 0


def run(*, examples: int, steps: int, number: int) -> None:
    print(f"SEED={number}", flush=True)

    class Machine(SaleMachine):
        """Of its own: the seed is kept on the class."""

    run_state_machine_as_test(
        seed(number)(Machine),
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            # A failure is replayed by its seed; making it shorter takes minutes on real servers.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )


def test_no_run_of_steps_sells_a_unit_twice_or_loses_one() -> None:
    run(examples=15, steps=50, number=int(os.environ.get("SEED", "0")) or random.randrange(10**9))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_long_run_sells_no_unit_twice_and_loses_none() -> None:
    """SOAK_EXAMPLES sales (default 500) of 100 steps each."""
    number = int(os.environ.get("SEED", "0")) or random.randrange(10**9)
    run(examples=int(os.environ.get("SOAK_EXAMPLES", "500")), steps=100, number=number)


# Guards, one off at a time


def nothing(*args: Any, **options: Any) -> None:
    return None


def release_whatever_its_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reservation, "ALLOCATING", tuple(Reservation.State))


def give_back_without_the_stock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reservations, "_deallocate", nothing)


def give_back_without_the_limit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holdings, "uncount", nothing)


def give_back_without_a_movement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reservations, "_record", nothing)


def no_limit_in_postgresql(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holdings, "count", lambda *, scope, limit, wanted: [True] * len(wanted))


def settle_what_was_settled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        settling, "_insert_purchases", lambda sale, claims: {claim.purchase for claim in claims}
    )


def acknowledge_before_settling(patch: pytest.MonkeyPatch) -> None:
    settle = settling.settle

    def acknowledge_and_settle(sale: Any, claims: Any) -> Any:
        drain._acknowledge(sale, [claim for claim in claims if hasattr(claim, "stream_id")])
        return settle(sale, claims)

    patch.setattr(settling, "settle", acknowledge_and_settle)


def never_look_for_claims_of_the_dead(patch: pytest.MonkeyPatch) -> None:
    take = drain.take
    patch.setattr(drain, "take", lambda **options: take(**options | {"reclaim": False}))


def pay_for_the_dead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reservations, "_ids_held_past_time", lambda rows: set())


def sync_without_its_fence(patch: pytest.MonkeyPatch) -> None:
    _change_script(patch, "sync", "~= ARGV[1] then return 0 end", "== '' then return 0 end")


def sync_that_forgets_the_queue(patch: pytest.MonkeyPatch) -> None:
    _change_script(patch, "sync", "queued[claim.item] = (queued[claim.item] or 0) + units", "")


def claim_again_for_a_repeated_click(patch: pytest.MonkeyPatch) -> None:
    _change_script(patch, "claim", "string.gmatch(purchases, ", "string.gmatch('', ")


def _change_script(patch: pytest.MonkeyPatch, name: str, guard: str, instead: str) -> None:
    """Scripts as they are, but for one guard of one of them."""
    beside_media = Path(settings.MEDIA_ROOT).parent  # which pytest tidies away
    changed = Path(tempfile.mkdtemp(prefix="scripts-", dir=beside_media))
    shutil.copytree(store.SCRIPTS, changed, dirs_exist_ok=True)
    source = (changed / f"{name}.lua").read_text()
    assert guard in source
    (changed / f"{name}.lua").write_text(source.replace(guard, instead))
    patch.setattr(store, "SCRIPTS", changed)
    forget_scripts()


def forget_scripts() -> None:
    for known in (store.script, store._source, store._digest):
        known.cache_clear()


def believe_that_a_unit_is_there(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("inventory.allocation.Stock.available", 99)
    patch.setattr(
        "inventory.allocation._add",
        lambda stock_id, units, **condition: True,
    )


Off = Callable[[pytest.MonkeyPatch], None]
Steps = Callable[[SaleMachine], None]

BUY, TWO_CLICKS = [(0, "one", 2)], [(0, "one", 1), (0, "one", 1)]


def settled(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.batch()


def settled_and_let_go(machine: SaleMachine) -> None:
    settled(machine)
    machine.let_go(which=0)


def settled_paid_and_refunded(machine: SaleMachine) -> None:
    settled(machine)
    machine.pay(which=0)
    machine.refund(which=0)


def settled_too_late_and_paid(machine: SaleMachine) -> None:
    settled(machine)
    machine.time_runs_out(which=0)
    machine.pay(which=0)


def taken_and_delivered_twice(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.take_and_die()
    machine.deliver_again()
    machine.deliver_again()


def taken_by_a_worker_that_died(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.take_and_die()


def a_batch_that_crashed(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.crash(
        point=Point("batch", "flashsale.settling:_insert_purchases", "before"),
        shopper=0,
        attempt="one",
        which=0,
    )


def synced_with_a_claim_in_the_queue(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.sync()


def synced_while_a_batch_is_settled(machine: SaleMachine) -> None:
    machine.claim(clicks=BUY)
    machine.sync_while_a_batch_is_settled()


def clicked_twice(machine: SaleMachine) -> None:
    machine.claim(clicks=TWO_CLICKS)


#: How a guard is put out of action, steps that need it, and what is noticed without it.
CONTROLS: list[tuple[Off, Steps, str]] = [
    (release_whatever_its_state, settled_paid_and_refunded, "holding_within_limit"),
    (give_back_without_the_stock, settled_and_let_go, "units are promised to nobody"),
    (give_back_without_the_limit, settled_and_let_go, "the limit is counted wrongly"),
    (give_back_without_a_movement, settled_and_let_go, "the ledger disagrees"),
    (no_limit_in_postgresql, settled, "the limit is counted wrongly"),
    (settle_what_was_settled, taken_and_delivered_twice, "unique|has no hold"),
    (acknowledge_before_settling, a_batch_that_crashed, "that nobody lost was not settled"),
    (never_look_for_claims_of_the_dead, taken_by_a_worker_that_died, "left in the queue"),
    (pay_for_the_dead, settled_too_late_and_paid, "a dead hold was paid for"),
    (sync_without_its_fence, synced_while_a_batch_is_settled, "just set is not true"),
    (sync_that_forgets_the_queue, synced_with_a_claim_in_the_queue, "just set is not true"),
    (claim_again_for_a_repeated_click, clicked_twice, "a repeated click took a unit"),
    (believe_that_a_unit_is_there, settled, "promised to nobody|units leaked"),
]


def play(steps: Steps) -> None:
    """The machine without chance: these steps, what must be true, and the way to rest."""
    machine = SaleMachine()
    machine.open(summed=500)
    try:
        steps(machine)
        machine.the_books_agree()
        machine.a_gate_that_was_just_set_is_true()
        machine.come_to_rest()
    finally:
        machine.put_back()


@pytest.mark.parametrize(
    ("off", "steps", "noticed"), CONTROLS, ids=[off.__name__ for off, _, _ in CONTROLS]
)
def test_control_without_a_guard_the_machine_goes_red(
    off: Off, steps: Steps, noticed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(steps)
    off(monkeypatch)
    try:
        with pytest.raises((AssertionError, IntegrityError), match=noticed):
            play(steps)
    finally:
        forget_scripts()


def test_control_a_run_by_chance_finds_a_missing_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    give_back_without_the_stock(monkeypatch)
    with pytest.raises(AssertionError, match=r"units are promised to nobody|units leaked"):
        run(examples=60, steps=50, number=random.randrange(10**9))
