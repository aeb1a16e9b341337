"""Batches of claims meet holds that go, in a sale of several items."""

import time
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from django.utils import timezone

from flashsale import settling
from flashsale.settling import Claim
from inventory import holdings, reservations
from inventory.batches import BatchOutcome
from inventory.models import Reservation
from tests.factories import make_sale, make_user
from tests.faults.proof import Units, proven_units
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("going", ["released", "expired"])
def test_a_batch_of_two_items_is_settled_while_a_hold_of_one_of_its_shoppers_goes(
    going: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holdings before stock, for all items of a batch: the two meet while one has the shopper's holding."""
    sale = make_sale(units=3, items=2, limit_per_shopper=2)
    first, second = sorted(sale.items, key=lambda item: item.sku)
    both, other = make_user(), make_user()
    old = Claim(uuid4(), both.shopper_id, first.id, 1, timezone.now())
    assert settling.settle(sale, [old]) == {old.purchase: BatchOutcome.HELD}
    if going == "expired":
        past = timezone.now() - timedelta(seconds=1)
        Reservation.objects.filter(pk=old.purchase).update(expires_at=past)
    has_holding, uncount = Event(), holdings.uncount

    def uncount_and_wait(gone: list[tuple[str, str, int]]) -> None:
        uncount(gone)
        if gone:
            has_holding.set()
            time.sleep(0.3)  # for the batch to take what it can, and to wait for this holding

    def let_go() -> int:
        if going == "expired":
            return reservations.expire()
        return reservations.release(reservation_ids=[old.purchase], reason="let go")

    def settle() -> list[BatchOutcome]:
        assert has_holding.wait(timeout=30)
        claims = [
            Claim(uuid4(), other.shopper_id, first.id, 1, timezone.now()),
            Claim(uuid4(), both.shopper_id, second.id, 1, timezone.now()),
        ]
        return list(settling.settle(sale, claims).values())

    monkeypatch.setattr(holdings, "uncount", uncount_and_wait)
    gone, outcomes = at_once(let_go, settle)
    assert (gone, outcomes) == (1, [BatchOutcome.HELD] * 2)
    assert proven_units(sale) == Units(sold=0, held=2, free=4)
