"""The sale's Redis loses everything, its last writes, or one key: PostgreSQL sells each unit once all the same."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flashsale import drain, gate, settling, store
from flashsale.keys import key
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from inventory import reservations
from inventory.models import Reservation
from tests.clicks import accepted, claim, click, free_at_the_gate, open_sale, queued
from tests.factories import make_user
from tests.faults.proof import Units, proven_units

pytestmark = pytest.mark.django_db(transaction=True)

Snapshot = dict[bytes, tuple[bytes, int]]


def snapshot() -> Snapshot:
    """What the sale's Redis holds, as a replica would that gets no further writes."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        names = client.scan_iter()
        return {name: (client.dump(name), max(0, client.pttl(name))) for name in names}


def fall_back_to(older: Snapshot) -> None:
    """Everything written since is lost."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        for name, (value, milliseconds) in older.items():
            client.restore(name, milliseconds, value)


def drained(sale: SaleInfo) -> drain.Drained:
    result = drain.drain(sale, consumer="w1")
    assert queued(sale) == 0
    return result


def synced(sale: SaleInfo) -> int | None:
    assert gate.sync(sale, now=timezone.now())
    return free_at_the_gate(sale)


def test_a_repeated_click_of_somebody_who_won_burns_nothing_after_a_flush() -> None:
    """Failure 15. The gate has forgotten who bought; PostgreSQL has not."""
    sale, winner = open_sale(units=5), make_user()
    won = accepted(click(sale, winner, attempt="one")).purchase
    drained(sale)
    store.client().flushdb()
    again = accepted(click(sale, winner, attempt="one")).purchase
    assert again == won
    drained(sale)
    other = accepted(click(sale, make_user(), attempt="one")).purchase
    assert drained(sale).held == 1
    assert synced(sale) == 3
    assert set(Purchase.objects.values_list("pk", "refusal")) == {(won, ""), (other, "")}
    assert proven_units(sale) == Units(sold=0, held=2, free=3)


def test_another_attempt_of_somebody_who_won_is_refused_after_a_flush_and_burns_nothing() -> None:
    sale, winner = open_sale(units=5), make_user()
    won = accepted(click(sale, winner, attempt="one")).purchase
    drained(sale)
    store.client().flushdb()
    other = accepted(click(sale, winner, attempt="two")).purchase
    assert drained(sale).refused == 1
    assert synced(sale) == 4
    assert Purchase.objects.get(pk=won).refusal == ""
    assert Purchase.objects.get(pk=other).refusal == "limit_reached"
    assert proven_units(sale) == Units(sold=0, held=1, free=4)


def test_claims_that_a_flush_took_can_be_made_again_and_those_in_hand_are_settled() -> None:
    sale = open_sale(units=5)
    in_hand, lost = make_user(), make_user()
    first = accepted(click(sale, in_hand, attempt="one")).purchase
    taken = drain.take(sale_id=sale.id, consumer="w1")
    second = accepted(click(sale, lost, attempt="one")).purchase
    store.client().flushdb()
    # Somebody clicks before the worker has committed: the gate is set without its claims.
    assert accepted(click(sale, lost, attempt="one")).purchase == second
    settling.settle(sale, taken)
    gate.acknowledge(sale_id=sale.id, group=drain.GROUP, stream_ids=[c.stream_id for c in taken])
    assert drained(sale).held == 1
    assert synced(sale) == 3
    held = Reservation.objects.filter(state="held")
    assert set(held.values_list("pk", flat=True)) == {first, second}
    assert proven_units(sale) == Units(sold=0, held=2, free=3)


def test_who_waits_for_a_claim_that_was_lost_is_told_so_and_shown_the_way_back(
    client: Client,
) -> None:
    sale, user = open_sale(units=5), make_user()
    client.force_login(user)
    page = reverse("flashsale:purchase", args=[accepted(click(sale, user, attempt="one")).purchase])
    assert "One moment" in client.get(page).content.decode()
    store.client().flushdb()
    answer = client.get(page)
    assert answer.status_code == 404
    text = answer.content.decode()
    assert "you can click again" in text
    assert f"/sales/{sale.slug}/" in text


@pytest.mark.parametrize("at", ["queued", "taken", "settled"])
def test_lost_writes_sell_no_unit_twice_and_leak_none(at: str) -> None:
    """The gate goes back to what it was while claims waited, were in hand, or were settled already."""
    sale = open_sale(units=10)
    early = [claim(sale, make_user()) for _ in range(4)]
    taken = drain.take(sale_id=sale.id, consumer="w1") if at == "taken" else []
    if at == "settled":
        drained(sale)
    older = snapshot()
    settling.settle(sale, taken)
    gate.acknowledge(sale_id=sale.id, group=drain.GROUP, stream_ids=[c.stream_id for c in taken])
    late = [claim(sale, make_user()) for _ in range(6)]
    drained(sale)
    assert (proven_units(sale).held, free_at_the_gate(sale)) == (10, 0)

    fall_back_to(older)
    # The control: asked alone, Redis would have sold these a second time.
    assert free_at_the_gate(sale) == 6
    again = [claim(sale, make_user()) for _ in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "CLAIM_LEASE_SECONDS", 0)
        assert drained(sale).refused == 6
    assert set(Purchase.objects.filter(pk__in=again).values_list("refusal")) == {("sold_out",)}
    kept = Reservation.objects.filter(state="held").values_list("pk", flat=True)
    assert set(kept) == {*early, *late}
    assert synced(sale) == 0
    assert proven_units(sale) == Units(sold=0, held=10, free=0)
    reservations.release(reservation_ids=[late[0]], reason="let go")
    assert synced(sale) == 1
    claim(sale, make_user())
    assert drained(sale).held == 1
    assert proven_units(sale) == Units(sold=0, held=10, free=0)


def test_claims_among_the_lost_writes_took_no_unit_and_can_be_made_again() -> None:
    """Lowering the gate and queueing the claim are lost together."""
    sale = open_sale(units=10)
    older = snapshot()
    users = [make_user() for _ in range(6)]
    lost = [accepted(click(sale, user, attempt="one")).purchase for user in users]
    fall_back_to(older)
    assert (free_at_the_gate(sale), queued(sale)) == (10, 0)
    assert [accepted(click(sale, user, attempt="one")).purchase for user in users] == lost
    assert drained(sale).held == 6
    assert synced(sale) == 4
    assert proven_units(sale) == Units(sold=0, held=6, free=4)


def test_the_same_purchase_twice_in_one_batch_is_settled_once() -> None:
    """Redis lost who bought and kept the queue: a repeated click is in it twice."""
    sale, user = open_sale(units=5, limit_per_shopper=2), make_user()
    known, other = uuid4(), make_user()
    claim(sale, user, purchase=known)
    store.client().delete(key(sale.id, "takers"))
    claim(sale, user, purchase=known)
    claim(sale, other)
    assert drained(sale).held == 2
    assert synced(sale) == 3
    assert proven_units(sale) == Units(sold=0, held=2, free=3)


def test_workers_that_find_no_group_after_a_flush_make_one() -> None:
    sale = open_sale(units=40)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            store.client().flushdb()
            takers = [
                pool.submit(drain.take, sale_id=sale.id, consumer=f"w{number}")
                for number in range(4)
            ]
            assert [taker.result() for taker in takers] == [[], [], [], []]
