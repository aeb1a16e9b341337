"""Staff change a sale's units while others do, and while shoppers claim them."""

from collections import Counter
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from flashsale import restocking, settling
from flashsale.models import SaleItem
from flashsale.restocking import UnitsChanged, UnitsPromised
from flashsale.sales import SaleInfo
from flashsale.settling import Claim
from inventory import audit, stock
from inventory.batches import BatchOutcome
from inventory.models import Stock, StockMovement
from tests.factories import make_sale, make_user
from tests.faults.proof import Units, proven_units
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5


def stocked(*, units: int, spare: int) -> SaleInfo:
    sale = make_sale(units=units)
    stock.receive(sku=sale.items[0].sku, quantity=spare)
    return sale


def change(sale: SaleInfo, units: int, *, seen: int | None = None) -> str:
    item = SaleItem.objects.select_related("sale", "variant").get(pk=sale.items[0].id)
    try:
        restocking.change_units(item=item, change=units, actor="", seen=seen)
    except (UnitsChanged, UnitsPromised, stock.NotEnoughStock) as refusal:
        return type(refusal).__name__
    return "changed"


def units_said(sale: SaleInfo) -> int:
    return SaleItem.objects.get(pk=sale.items[0].id).units


def in_main(sale: SaleInfo) -> int:
    return Stock.objects.get(sku=sale.items[0].sku, pool="main").on_hand


def test_two_at_once_are_both_counted() -> None:
    for _ in range(ROUNDS):
        sale = stocked(units=3, spare=10)
        done = at_once(*[partial(change, sale, 2)] * 2, partial(change, sale, -1))
        assert done == ["changed"] * 3
        assert (units_said(sale), in_main(sale)) == (6, 7)
        assert proven_units(sale).free == 6


def test_two_who_saw_the_same_units_change_them_once() -> None:
    for _ in range(ROUNDS):
        sale = stocked(units=3, spare=10)
        done = at_once(*[partial(change, sale, 2, seen=3)] * 4)
        assert Counter(done) == {"changed": 1, "UnitsChanged": 3}
        assert (units_said(sale), in_main(sale)) == (5, 8)


def receive(row: Stock, *, seen: int | None) -> str:
    try:
        stock.receive(sku=row.sku, quantity=5, seen=seen)
    except stock.CountChanged as refusal:
        return type(refusal).__name__
    return "received"


def test_a_delivery_that_is_sent_four_times_at_once_comes_in_once() -> None:
    for number in range(ROUNDS):
        row = stock.receive(sku=f"MUG-{number}", quantity=7)
        done = at_once(*[partial(receive, row, seen=stock.last_count(row))] * 4)
        assert Counter(done) == {"received": 1, "CountChanged": 3}
        row.refresh_from_db()
        assert row.on_hand == 12


def test_control_without_the_row_s_lock_all_four_see_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_have_looked = Barrier(4)

    def compare_without_a_lock(row: Stock, seen: int | None) -> None:
        last = stock.last_count(row)
        all_have_looked.wait(timeout=30)
        if last != seen:
            raise stock.CountChanged(row)

    row = stock.receive(sku="MUG", quantity=7)
    monkeypatch.setattr(stock, "_compare", compare_without_a_lock)
    done = at_once(*[partial(receive, row, seen=stock.last_count(row))] * 4)
    assert done == ["received"] * 4
    row.refresh_from_db()
    assert row.on_hand == 27


def test_control_without_what_was_seen_it_comes_in_four_times() -> None:
    row = stock.receive(sku="MUG", quantity=7)
    assert at_once(*[partial(receive, row, seen=None)] * 4) == ["received"] * 4
    row.refresh_from_db()
    assert row.on_hand == 27


def test_more_units_than_the_main_pool_has_are_never_taken_by_two() -> None:
    for _ in range(ROUNDS):
        sale = stocked(units=3, spare=5)
        done = at_once(*[partial(change, sale, 3)] * 3)
        assert Counter(done) == {"changed": 1, "NotEnoughStock": 2}
        assert (units_said(sale), in_main(sale)) == (6, 2)
        assert proven_units(sale).free == 6


def test_control_reading_comparing_and_writing_loses_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the conditional UPDATE two both add to what they read, and the audit names the item."""
    both_have_read = Barrier(2)

    def count_naively(item: SaleItem, change: int, *, seen: int | None) -> bool:
        row = SaleItem.objects.get(pk=item.pk)
        both_have_read.wait(timeout=30)
        if seen is not None and row.units != seen:
            return False
        row.units += change
        row.save()
        return True

    monkeypatch.setattr(restocking, "_count", count_naively)
    sale = stocked(units=3, spare=10)
    assert at_once(*[partial(change, sale, 2, seen=3)] * 2) == ["changed"] * 2
    assert (units_said(sale), in_main(sale)) == (5, 6)
    breaches = {result.check.name for result in audit.run(scope={}) if result.breaches}
    assert breaches == {"sale_items_say_their_units"}


def test_units_that_are_taken_away_while_shoppers_claim_them_are_never_promised_twice() -> None:
    for _ in range(ROUNDS):
        sale = stocked(units=4, spare=0)
        claims = [
            Claim(uuid4(), make_user().shopper_id, sale.items[0].id, 1, timezone.now())
            for _ in range(4)
        ]

        def take(claim: Claim) -> BatchOutcome:
            return settling.settle(sale, [claim])[claim.purchase]  # noqa: B023 -- runs in this round

        *outcomes, shrunk = at_once(
            *(partial(take, claim) for claim in claims), partial(change, sale, -2)
        )
        held = Counter(outcomes)[BatchOutcome.HELD]
        assert held == (2 if shrunk == "changed" else 4)
        assert proven_units(sale) == Units(sold=0, held=held, free=0)


def test_control_without_its_condition_taking_away_is_refused_by_the_constraint_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change_anyway(
        row: Stock, change: int, *, kind: StockMovement.Kind, reason: str, actor: str
    ) -> None:
        Stock.objects.filter(pk=row.pk).update(on_hand=F("on_hand") + change)

    sale = stocked(units=2, spare=0)
    claims = [
        Claim(uuid4(), make_user().shopper_id, sale.items[0].id, 1, timezone.now())
        for _ in range(2)
    ]
    assert set(settling.settle(sale, claims).values()) == {BatchOutcome.HELD}
    monkeypatch.setattr(stock, "_change", change_anyway)
    with pytest.raises(IntegrityError, match="stock_allocated_within_on_hand"):
        change(sale, -1)
    assert units_said(sale) == 2
