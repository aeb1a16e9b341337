"""Redis is killed, paused, emptied, cut short, or replaced by a replica that is behind.

Each time the sale goes on, the gate becomes true again without anybody's help, and what PostgreSQL accepted stays as
it is: nothing lost, nothing doubled. The control of each is what Redis alone would have said.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import Settings

from flashsale import breaker, buying, drain, gate, store, tasks
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.purchases import State
from flashsale.sales import SaleInfo
from inventory.models import Reservation, Stock
from shop.models import User
from tests.away import redis_at
from tests.clicks import free_at_the_gate, open_sale, queued
from tests.factories import make_user
from tests.faults.own_redis import OwnRedis, until
from tests.faults.proof import Units, proven_units

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[OwnRedis]]:
    """Servers that this test started; they end with it."""
    started: list[OwnRedis] = []
    yield started
    for server in started:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture
def primary(servers: list[OwnRedis], tmp_path: Path, settings: Settings) -> Iterator[OwnRedis]:
    """The sale's Redis of this test."""
    settings.CLAIM_LEASE_SECONDS = 0
    settings.REDIS_TIMEOUT_SECONDS = 0.25
    server = OwnRedis(tmp_path / "primary")
    servers.append(server)
    server.start()
    with redis_at(server.url):
        yield server


def click(sale: SaleInfo, user: User | None = None, attempt: str = "one") -> Accepted | Refused:
    return buying.buy(
        sale=sale,
        shopper=(user or make_user()).shopper_id,
        item=sale.items[0].id,
        quantity=1,
        attempt=attempt,
        now=timezone.now(),
    )


def accepted(result: Accepted | Refused) -> UUID:
    assert isinstance(result, Accepted), result
    return result.purchase


def rest_is_over() -> None:
    breaker.claims._rests_until = 0
    breaker.calls.worked()


def kept() -> set[UUID]:
    return set(Reservation.objects.filter(state="held").values_list("pk", flat=True))


def gate_is_true(sale: SaleInfo) -> bool:
    return free_at_the_gate(sale) == Stock.objects.get(pool=sale.scope).available - queued(sale)


def sell_out(sale: SaleInfo) -> set[UUID]:
    """Click until nothing is left, draining on the way; what was accepted."""
    won: set[UUID] = set()
    for _ in range(40):
        result = click(sale)
        drain.drain(sale, consumer="worker")
        if isinstance(result, Accepted):
            won.add(result.purchase)
        elif result.reason is Refusal.SOLD_OUT:
            return won
    raise AssertionError("the sale never sold out")


def test_redis_is_killed_and_started_again_with_what_it_had_written(primary: OwnRedis) -> None:
    sale = open_sale(units=6)
    queued_before = accepted(click(sale))
    settled_before = {accepted(click(sale))}
    primary.kill()
    # It goes on in PostgreSQL: held at once.
    meanwhile = click(sale)
    assert isinstance(meanwhile, Accepted)
    assert meanwhile.state is State.HELD
    primary.start()
    rest_is_over()
    after = click(sale)
    assert isinstance(after, Accepted)
    assert after.state is State.QUEUED
    won = sell_out(sale)
    assert kept() == {queued_before, *settled_before, meanwhile.purchase, after.purchase, *won}
    assert gate_is_true(sale)
    assert proven_units(sale) == Units(sold=0, held=6, free=0)


def test_redis_that_hangs_costs_one_time_out_and_not_one_a_click(primary: OwnRedis) -> None:
    sale = open_sale(units=6)
    accepted(click(sale))
    drain.drain(sale, consumer="worker")
    primary.signal(signal.SIGSTOP)
    began = timezone.now()
    states = [click(sale) for _ in range(3)]
    took = (timezone.now() - began).total_seconds()
    primary.signal(signal.SIGCONT)
    assert [s.state for s in states if isinstance(s, Accepted)] == [State.HELD] * 3
    # One call and its one repetition waited; the control is three clicks at as much each.
    assert took < 3 * 2 * 0.25
    until(primary.answers)
    rest_is_over()
    # The first click reached Redis after all, when it woke up: a claim of a purchase that is held already.
    assert queued(sale) == 1
    tasks.drain_purchases(sale.id)
    assert (queued(sale), free_at_the_gate(sale)) == (0, 2)
    sell_out(sale)
    assert gate_is_true(sale)
    assert proven_units(sale) == Units(sold=0, held=6, free=0)


def test_a_claim_whose_answer_was_lost_is_one_purchase(primary: OwnRedis) -> None:
    """Redis did it and hung before it could say so; the database is asked under the same id."""
    sale, user = open_sale(units=6), make_user()
    claimed = gate.claim

    def claim_and_hang(**claim: Any) -> gate.Claimed:
        claimed(**claim)
        primary.signal(signal.SIGSTOP)
        return claimed(**claim)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "claim", claim_and_hang)
        result = click(sale, user)
    primary.signal(signal.SIGCONT)
    until(primary.answers)
    assert isinstance(result, Accepted)
    assert result.state is State.HELD
    rest_is_over()
    assert queued(sale) == 1
    assert accepted(click(sale, user)) == result.purchase
    drain.drain(sale, consumer="worker")
    assert gate.sync(sale, now=timezone.now())
    assert (kept(), gate_is_true(sale)) == ({result.purchase}, True)
    assert proven_units(sale) == Units(sold=0, held=1, free=5)


def test_flushall_in_the_middle_of_a_sale(primary: OwnRedis) -> None:
    sale = open_sale(units=6)
    settled = accepted(click(sale))
    drain.drain(sale, consumer="worker")
    lost_user = make_user()
    lost = accepted(click(sale, lost_user))
    primary.client().flushall()
    assert accepted(click(sale, lost_user)) == lost
    won = sell_out(sale)
    assert kept() == {settled, lost, *won}
    assert gate_is_true(sale)
    assert proven_units(sale) == Units(sold=0, held=6, free=0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8, 0.97])
def test_an_append_only_file_that_ends_too_early(primary: OwnRedis, share: float) -> None:
    sale = open_sale(units=12)
    settled = set()
    for _ in range(6):
        settled.add(accepted(click(sale)))
        drain.drain(sale, consumer="worker")
    in_queue = {accepted(click(sale)) for _ in range(2)}
    primary.kill()
    primary.cut_log_short(share=share)
    primary.start()
    won = sell_out(sale)
    assert settled <= kept() <= {*settled, *in_queue, *won}
    assert gate_is_true(sale)
    assert proven_units(sale) == Units(sold=0, held=12, free=0)


@pytest.mark.parametrize("late", ["waiting", "settled"])
def test_a_replica_that_was_cut_off_is_promoted(
    primary: OwnRedis, servers: list[OwnRedis], tmp_path: Path, late: str
) -> None:
    """What the primary took after the cut is lost with it: claims that wait, or the memory of settled ones."""
    sale = open_sale(units=12)
    early = {accepted(click(sale)) for _ in range(3)}
    drain.drain(sale, consumer="worker")
    in_queue = {accepted(click(sale))}
    replica = OwnRedis(tmp_path / "replica")
    servers.append(replica)
    replica.follow(primary)
    until(lambda: replica.has_caught_up(primary))
    replica.client().replicaof("NO", "ONE")  # the cut: nothing more arrives
    lost_users = [make_user() for _ in range(4)]
    lost = {accepted(click(sale, user)) for user in lost_users}
    if late == "settled":
        drain.drain(sale, consumer="worker")
        assert kept() == {*early, *in_queue, *lost}
    primary.kill()
    with redis_at(replica.url):  # the promotion
        before = free_at_the_gate(sale)
        # The control: this is what Redis alone would sell, four of them sold or queued already.
        assert before == 12 - 4
        if late == "waiting":
            assert {accepted(click(sale, user)) for user in lost_users} == lost
        won = sell_out(sale)
        assert {*early, *in_queue, *lost} <= kept()
        assert kept() <= {*early, *in_queue, *lost, *won}
        assert gate.sync(sale, now=timezone.now())
        assert gate_is_true(sale)
    assert proven_units(sale) == Units(sold=0, held=12, free=0)


def test_a_server_that_is_full_is_as_good_as_away(primary: OwnRedis) -> None:
    sale = open_sale(units=3)
    primary.client().config_set("maxmemory", "1")
    primary.client().config_set("maxmemory-policy", "noeviction")
    full = click(sale)
    assert isinstance(full, Accepted)
    assert full.state is State.HELD
    primary.client().config_set("maxmemory", "0")
    rest_is_over()
    again = click(sale)
    assert isinstance(again, Accepted)
    assert again.state is State.QUEUED


def test_a_gate_that_nobody_has_set_yet_is_set_by_the_first_click(primary: OwnRedis) -> None:
    """After a start with nothing: the first click pays for the sync."""
    sale = open_sale(units=3)
    primary.client().flushall()
    assert store.client().exists(key(sale.id, "gate")) == 0
    accepted(click(sale))
    assert free_at_the_gate(sale) == 2
    assert Purchase.objects.count() == 0
