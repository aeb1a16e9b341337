from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import drain, gate, sales, store
from flashsale.gate import Answer, Claimed
from flashsale.keys import key
from flashsale.sales import SaleInfo
from inventory import stock
from tests.clicks import open_sale, queued

pytestmark = pytest.mark.django_db


def claim(
    sale: SaleInfo,
    shopper: UUID | None = None,
    *,
    quantity: int = 1,
    purchase: UUID | None = None,
    after: timedelta = timedelta(0),
) -> Claimed:
    return gate.claim(
        sale_id=sale.id,
        shopper=shopper or uuid4(),
        item=sale.items[0].id,
        quantity=quantity,
        purchase=purchase or uuid4(),
        now=timezone.now() + after,
    )


def free(sale: SaleInfo) -> int:
    return int(store.client().hget(key(sale.id, "gate"), f"free:{sale.items[0].id}") or -1)


def test_a_claim_lowers_the_gate_and_is_queued() -> None:
    sale = open_sale(units=3)
    purchase = uuid4()
    assert claim(sale, purchase=purchase) == Claimed(Answer.QUEUED, purchase, ring=True)
    assert (free(sale), queued(sale)) == (2, 1)


def test_control_a_decrement_whose_claim_was_never_queued_loses_the_unit_until_a_sync() -> None:
    sale = open_sale(units=1)
    store.client().hincrby(key(sale.id, "gate"), f"free:{sale.items[0].id}", -1)
    assert (claim(sale).answer, queued(sale)) == (Answer.SOLD_OUT, 0)
    gate.sync(sale, now=timezone.now())
    assert claim(sale).answer is Answer.QUEUED


def test_only_the_first_claim_of_a_batch_rings() -> None:
    sale = open_sale(units=3)
    assert [claim(sale).ring for _ in range(3)] == [True, False, False]


def test_the_same_purchase_again_takes_nothing_more() -> None:
    sale = open_sale(units=3)
    shopper, purchase = uuid4(), uuid4()
    claim(sale, shopper, purchase=purchase)
    assert claim(sale, shopper, purchase=purchase).answer is Answer.AGAIN
    assert (free(sale), queued(sale)) == (2, 1)


def test_a_shopper_at_the_limit_burns_nothing_and_is_told_of_the_purchase_they_have() -> None:
    sale = open_sale(units=3)
    shopper, purchase = uuid4(), uuid4()
    claim(sale, shopper, purchase=purchase)
    assert claim(sale, shopper) == Claimed(Answer.LIMIT_REACHED, purchase, ring=False)
    assert (free(sale), queued(sale)) == (2, 1)


def test_a_limit_above_one_counts_units() -> None:
    sale = open_sale(units=9, limit_per_shopper=3)
    shopper = uuid4()
    answers = [claim(sale, shopper, quantity=quantity).answer for quantity in (2, 2, 1, 1)]
    assert answers == [Answer.QUEUED, Answer.LIMIT_REACHED, Answer.QUEUED, Answer.LIMIT_REACHED]
    assert free(sale) == 6


def test_the_gate_never_goes_below_zero() -> None:
    sale = open_sale(units=2)
    assert [claim(sale).answer for _ in range(3)] == [
        Answer.QUEUED,
        Answer.QUEUED,
        Answer.SOLD_OUT,
    ]
    assert (free(sale), queued(sale)) == (0, 2)


def test_a_claim_before_the_opening_or_from_the_closing_on_consumes_nothing() -> None:
    now = timezone.now()
    sale = open_sale(opens_at=now + timedelta(minutes=1), closes_at=now + timedelta(minutes=2))
    assert claim(sale).answer is Answer.NOT_OPEN
    assert claim(sale, after=timedelta(minutes=3)).answer is Answer.NOT_OPEN
    assert free(sale) == 3
    assert claim(sale, after=timedelta(seconds=61)).answer is Answer.QUEUED


def test_an_unknown_item_is_no_item_of_the_sale() -> None:
    sale = open_sale()
    answer = gate.claim(
        sale_id=sale.id, shopper=uuid4(), item=0, quantity=1, purchase=uuid4(), now=timezone.now()
    )
    assert answer.answer is Answer.UNKNOWN_ITEM


def test_a_gate_that_redis_lost_lets_nobody_through_until_it_is_synced() -> None:
    sale = open_sale(units=3)
    store.client().flushdb()
    assert claim(sale).answer is Answer.LOST
    gate.sync(sale, now=timezone.now())
    assert claim(sale).answer is Answer.QUEUED


def test_sync_counts_claims_that_wait_in_the_queue_as_taken() -> None:
    sale = open_sale(units=3)
    claim(sale)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 2


def test_sync_never_adds_up_however_often_it_runs() -> None:
    sale = open_sale(units=3)
    for _ in range(5):
        gate.sync(sale, now=timezone.now())
    assert free(sale) == 3


def test_sync_reads_again_when_a_batch_was_acknowledged_between_its_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the fence the units of that batch are in neither count, and the gate is too high."""
    sale = open_sale(units=3)
    claim(sale)
    reads: list[sales.Units] = []

    def a_batch_settles_in_between(info: SaleInfo) -> sales.Units:
        units = sales.count_units(info)
        if not reads:  # PostgreSQL was read; now the claim is settled and acknowledged
            stream = key(sale.id, "claims")
            stock.adjust(sku=sale.items[0].sku, change=-1, reason="taken", pool=f"sale:{sale.id}")
            ids = [entry[0] for entry in store.client().xrange(stream)]
            gate.acknowledge(sale_id=sale.id, group="drain", stream_ids=ids)
        reads.append(units)
        return units

    monkeypatch.setattr("flashsale.gate.count_units", a_batch_settles_in_between)
    assert gate.sync(sale, now=timezone.now())
    assert len(reads) == 2
    assert free(sale) == 2


def test_a_paused_sale_s_gate_is_closed() -> None:
    sale = open_sale(units=3)
    gate.sync(replace(sale, status="paused"), now=timezone.now())
    assert claim(sale).answer is Answer.NOT_OPEN
    assert free(sale) == 3


def test_a_gate_that_nobody_sets_any_more_is_not_believed_when_it_says_sold_out() -> None:
    """Once in a while one claim is told to look; the others are not."""
    sale = open_sale(units=1)
    claim(sale)
    assert claim(sale).answer is Answer.SOLD_OUT
    synced = int(store.client().hget(key(sale.id, "gate"), "synced"))
    store.client().hset(key(sale.id, "gate"), "synced", synced - gate.STALE_SECONDS - 1)
    assert [claim(sale).answer for _ in range(3)] == [
        Answer.STALE,
        Answer.SOLD_OUT,
        Answer.SOLD_OUT,
    ]
    assert (free(sale), queued(sale)) == (0, 1)


def acknowledge_first(sale: SaleInfo, count: int) -> list[str]:
    entries = store.client().xrange(key(sale.id, "claims"), count=count)
    ids = [stream_id for stream_id, _ in entries]
    gate.acknowledge(sale_id=sale.id, group="drain", stream_ids=ids)
    return ids


@pytest.mark.parametrize("summed", [0, 100], ids=["worked out", "summed"])
def test_what_is_queued_is_the_same_worked_out_or_summed(
    summed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims and acknowledgements before and after a sync, one of them twice, and what nobody can read."""
    monkeypatch.setattr(gate, "SUMMED_CLAIMS", summed)
    sale = open_sale(units=20, limit_per_shopper=3)
    for quantity in (1, 2, 3):
        claim(sale, quantity=quantity)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 14
    store.client().xadd(key(sale.id, "claims"), {"purchase": "not one"})
    ids = acknowledge_first(sale, 2)
    gate.acknowledge(sale_id=sale.id, group="drain", stream_ids=ids)
    claim(sale, quantity=2)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 15  # three and two are queued; what was acknowledged was never settled
    acknowledge_first(sale, 9)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 20


def test_a_spoilt_count_of_what_is_queued_lasts_no_longer_than_a_long_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale(units=9)
    for _ in range(3):
        claim(sale)
    store.client().hset(key(sale.id, "gate"), f"queued:{sale.items[0].id}", 5)
    monkeypatch.setattr(gate, "SUMMED_CLAIMS", 2)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 1  # the control: worked out from what was spoilt
    acknowledge_first(sale, 1)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 7


def test_a_gate_that_was_lost_alone_is_set_by_the_sum_of_a_queue_of_any_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "SUMMED_CLAIMS", 0)
    sale = open_sale(units=9)
    for _ in range(3):
        claim(sale)
    store.client().delete(key(sale.id, "gate"))
    acknowledge_first(sale, 1)
    gate.sync(sale, now=timezone.now())
    assert free(sale) == 7


def test_a_bell_that_nobody_hears_is_rung_again_and_one_that_was_heard_at_once() -> None:
    sale = open_sale(units=5)
    life = timedelta(milliseconds=gate.BELL_MILLISECONDS)
    assert claim(sale).ring
    assert not claim(sale, after=life / 2).ring
    assert claim(sale, after=life * 1.1).ring
    gate.hear_bell(sale.id)
    assert [claim(sale).ring for _ in range(2)] == [True, False]


def test_units_that_the_caller_counted_leave_the_queue_only_with_their_claims() -> None:
    sale = open_sale(units=9, limit_per_shopper=2)
    item = sale.items[0].id
    for _ in range(3):
        claim(sale, quantity=2)
    taken = drain.take(sale_id=sale.id, consumer="w1")
    for _ in range(2):  # the second time they are gone
        gate.acknowledge(
            sale_id=sale.id,
            group=drain.GROUP,
            stream_ids=[known.stream_id for known in taken[:2]],
            units={item: 4},
        )
        assert int(store.client().hget(key(sale.id, "gate"), f"queued:{item}")) == -4
