from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db.models import F, Sum

from inventory import batches, reservations, stock
from inventory.batches import BatchClaim, BatchOutcome
from inventory.models import Holding, Reservation, Stock, StockMovement
from inventory.reservations import Held, Short, Shortage, Want

pytestmark = pytest.mark.django_db
State = Reservation.State


def hold(sku: str = "MUG", quantity: int = 1, *, seconds: int = 60) -> UUID:
    result = reservations.reserve(
        key=uuid4(), wants=[Want(sku, quantity)], holder="a", seconds=seconds
    )
    assert isinstance(result, Held)
    return result.reservations[0].pk


def let_time_pass(*ids: UUID) -> None:
    """The database's clock decides, so the holds' ends move instead."""
    Reservation.objects.filter(pk__in=ids).update(expires_at=F("expires_at") - timedelta(hours=2))


def counters(sku: str = "MUG", pool: str = "main") -> tuple[int, int]:
    row = Stock.objects.get(sku=sku, pool=pool)
    return row.on_hand, row.allocated


def state(reservation_id: UUID) -> str:
    return Reservation.objects.get(pk=reservation_id).state


def test_a_reservation_allocates_and_is_written_down() -> None:
    stock.receive(sku="MUG", quantity=5)
    reservation = Reservation.objects.get(pk=hold(quantity=2))
    assert counters() == (5, 2)
    assert (reservation.state, reservation.quantity, reservation.holder) == (State.HELD, 2, "a")
    assert reservation.expires_at - reservation.created_at == timedelta(seconds=60)
    assert StockMovement.objects.aggregate(sum=Sum("allocated_change"))["sum"] == 2


def test_the_same_key_holds_once() -> None:
    stock.receive(sku="MUG", quantity=5)
    key = uuid4()
    first = reservations.reserve(key=key, wants=[Want("MUG", 2)], holder="a", seconds=60)
    again = reservations.reserve(key=key, wants=[Want("MUG", 2)], holder="a", seconds=60)
    assert first == again
    assert counters() == (5, 2)


def test_several_skus_are_held_all_or_nothing_and_the_refusal_says_what_is_left() -> None:
    stock.receive(sku="MUG", quantity=5)
    stock.receive(sku="VASE", quantity=1)
    wants = [Want("VASE", 2), Want("MUG", 2), Want("LAMP", 1)]
    result = reservations.reserve(key=uuid4(), wants=wants, holder="a", seconds=60)
    assert result == Short([Shortage("LAMP", 1, 0), Shortage("VASE", 2, 1)])
    assert counters("MUG") == (5, 0)
    assert not Reservation.objects.exists()


def test_a_dead_hold_that_nobody_tidied_does_not_block_the_next_claimant() -> None:
    stock.receive(sku="MUG", quantity=1)
    dead = hold()
    refused = reservations.reserve(key=uuid4(), wants=[Want("MUG", 1)], holder="b", seconds=60)
    assert isinstance(refused, Short)
    let_time_pass(dead)
    hold()
    assert state(dead) == State.EXPIRED
    assert counters() == (1, 1)


def test_only_a_live_hold_can_be_confirmed() -> None:
    stock.receive(sku="MUG", quantity=2)
    live, dead = hold(), hold()
    let_time_pass(dead)
    assert not reservations.confirm(reservation_ids=[live, dead])
    assert (state(live), state(dead)) == (State.HELD, State.HELD)
    assert reservations.confirm(reservation_ids=[live])
    assert reservations.confirm(reservation_ids=[live])
    assert state(live) == State.CONFIRMED


def test_a_confirmed_reservation_never_expires() -> None:
    stock.receive(sku="MUG", quantity=1)
    paid = hold()
    assert reservations.confirm(reservation_ids=[paid])
    let_time_pass(paid)
    assert reservations.expire() == 0
    assert state(paid) == State.CONFIRMED


def test_expiry_gives_each_unit_back_once() -> None:
    stock.receive(sku="MUG", quantity=3)
    dead = [hold(), hold()]
    alive = hold()
    let_time_pass(*dead)
    assert reservations.expire() == 2
    assert reservations.expire() == 0
    assert counters() == (3, 1)
    assert state(alive) == State.HELD


def test_a_release_gives_the_unit_back_once() -> None:
    stock.receive(sku="MUG", quantity=1)
    held = hold()
    assert reservations.release(reservation_ids=[held], reason="changed my mind") == 1
    assert reservations.release(reservation_ids=[held], reason="again") == 0
    assert counters() == (1, 0)
    assert not reservations.confirm(reservation_ids=[held])


def test_shipping_takes_the_unit_off_both_counters_once() -> None:
    stock.receive(sku="MUG", quantity=2)
    sold = hold()
    assert reservations.consume(reservation_ids=[sold]) == 0
    reservations.confirm(reservation_ids=[sold])
    assert reservations.consume(reservation_ids=[sold]) == 1
    assert reservations.consume(reservation_ids=[sold]) == 0
    assert counters() == (1, 0)


def test_an_extension_moves_a_live_hold_s_end_and_revives_no_dead_one() -> None:
    stock.receive(sku="MUG", quantity=2)
    live, dead = hold(seconds=60), hold(seconds=60)
    let_time_pass(dead)
    before = Reservation.objects.get(pk=live).expires_at
    assert reservations.extend(reservation_ids=[live], seconds=600)
    assert Reservation.objects.get(pk=live).expires_at - before == timedelta(seconds=600)
    assert not reservations.extend(reservation_ids=[dead], seconds=600)


def test_a_hold_is_extended_once_and_of_several_all_or_none() -> None:
    stock.receive(sku="MUG", quantity=3)
    first, second = hold(), hold()
    assert reservations.extend(reservation_ids=[first], seconds=60)
    ends = dict(Reservation.objects.values_list("pk", "expires_at"))
    assert not reservations.extend(reservation_ids=[first], seconds=60)
    assert not reservations.extend(reservation_ids=[first, second], seconds=60)
    assert dict(Reservation.objects.values_list("pk", "expires_at")) == ends
    reservations.confirm(reservation_ids=[second])
    assert not reservations.extend(reservation_ids=[second], seconds=60)


def test_taking_again_after_expiry_needs_a_free_unit() -> None:
    stock.receive(sku="MUG", quantity=1)
    late = hold()
    let_time_pass(late)
    reservations.expire()
    other = hold()
    assert not reservations.retake(reservation_ids=[late])
    assert state(late) == State.EXPIRED
    reservations.release(reservation_ids=[other], reason="let go")
    assert reservations.retake(reservation_ids=[late])
    assert state(late) == State.CONFIRMED
    assert counters() == (1, 1)


# Batches


def claims(*holders: str, quantity: int = 1) -> list[BatchClaim]:
    return [BatchClaim(key=uuid4(), holder=holder, quantity=quantity) for holder in holders]


def settle(batch: Sequence[BatchClaim], *, limit: int = 1) -> list[BatchOutcome]:
    row = Stock.objects.get(pool="sale:1")
    outcomes = batches.reserve_batch(
        stock_id=row.pk, scope="sale:1", limit=limit, claims=batch, seconds=60
    )
    return [outcomes[claim.key] for claim in batch]


def test_a_batch_holds_for_everybody_at_the_cost_of_one_movement() -> None:
    stock.receive(sku="LAMP", quantity=3, pool="sale:1")
    assert settle(claims("a", "b", "c")) == [BatchOutcome.HELD] * 3
    assert counters("LAMP", "sale:1") == (3, 3)
    movement = StockMovement.objects.get(kind="allocate")
    assert (movement.allocated_change, movement.reservations) == (3, 3)


def test_a_batch_that_asks_for_more_than_there_is_serves_the_first() -> None:
    stock.receive(sku="LAMP", quantity=2, pool="sale:1")
    first, second, third = settle(claims("a", "b", "c"))
    assert (first, second, third) == (
        BatchOutcome.HELD,
        BatchOutcome.HELD,
        BatchOutcome.SOLD_OUT,
    )
    assert counters("LAMP", "sale:1") == (2, 2)
    assert Holding.objects.get(holder="c").units == 0


def test_the_limit_holds_within_a_batch_and_over_batches() -> None:
    stock.receive(sku="LAMP", quantity=9, pool="sale:1")
    assert settle(claims("a", "a", "a"), limit=2) == [
        BatchOutcome.HELD,
        BatchOutcome.HELD,
        BatchOutcome.LIMIT_REACHED,
    ]
    assert settle(claims("a", "b"), limit=2) == [BatchOutcome.LIMIT_REACHED, BatchOutcome.HELD]
    assert counters("LAMP", "sale:1") == (9, 3)


def test_a_unit_that_comes_back_no_longer_counts_against_the_limit() -> None:
    stock.receive(sku="LAMP", quantity=2, pool="sale:1")
    batch = claims("a")
    assert settle(batch) == [BatchOutcome.HELD]
    assert settle(claims("a")) == [BatchOutcome.LIMIT_REACHED]
    let_time_pass(batch[0].key)
    reservations.expire()
    assert settle(claims("a")) == [BatchOutcome.HELD]
    assert not reservations.retake(reservation_ids=[batch[0].key])
    assert Holding.objects.get(holder="a").units == 1


def test_a_shipped_unit_still_counts_against_the_limit() -> None:
    stock.receive(sku="LAMP", quantity=2, pool="sale:1")
    batch = claims("a")
    settle(batch)
    reservations.confirm(reservation_ids=[batch[0].key])
    reservations.consume(reservation_ids=[batch[0].key])
    assert settle(claims("a")) == [BatchOutcome.LIMIT_REACHED]
