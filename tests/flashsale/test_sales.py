from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.db.models import ProtectedError
from django.utils import timezone

from flashsale import sales
from flashsale.models import Sale
from flashsale.sales import Phase, SaleInfo, Units, count_units
from inventory import batches, reservations
from inventory.batches import BatchClaim
from inventory.models import Reservation, Stock
from inventory.stock import NotEnoughStock
from shop.models import Variant
from tests.away import database_away
from tests.factories import make_draft, make_sale

pytestmark = pytest.mark.django_db

LOBBY = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
OPENS = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
CLOSES = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def timed(**fields: Any) -> SaleInfo:
    times = {"lobby_opens_at": LOBBY, "opens_at": OPENS, "closes_at": CLOSES}
    draft = make_draft(
        **{"queue_mode": Sale.QueueMode.DRAW, "status": "scheduled"} | times | fields
    )
    return sales.describe(draft)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LOBBY - INSTANT, Phase.SCHEDULED),
        (LOBBY, Phase.LOBBY),
        (OPENS - INSTANT, Phase.LOBBY),
        (OPENS, Phase.OPEN),
        (CLOSES - INSTANT, Phase.OPEN),
        (CLOSES, Phase.ENDED),
    ],
)
def test_periods_are_half_open(now: datetime, expected: Phase) -> None:
    assert sales.phase_by_clock(timed(), now=now) is expected


def test_a_sale_without_a_line_has_no_lobby() -> None:
    assert sales.phase_by_clock(timed(queue_mode="none"), now=LOBBY) is Phase.SCHEDULED


@pytest.mark.parametrize("status", ["cancelled", "ended"])
def test_a_sale_that_was_called_off_is_so_at_any_time(status: str) -> None:
    assert sales.phase_by_clock(timed(status=status), now=OPENS) == status


def test_sold_out_means_that_nothing_held_can_come_back() -> None:
    sale = timed()
    assert sales.phase(sale, now=OPENS, units_left=0, units_held=1) is Phase.OPEN
    assert sales.phase(sale, now=OPENS, units_left=0, units_held=0) is Phase.SOLD_OUT
    assert sales.phase(sale, now=CLOSES, units_left=0, units_held=0) is Phase.ENDED


def test_scheduling_ring_fences_the_units_and_commits_to_a_secret_seed() -> None:
    draft = make_draft(units=3)
    sales.schedule(draft)
    pools = dict(Stock.objects.values_list("pool", "on_hand"))
    assert pools == {"main": 0, sales.pool_name(draft.pk): 3}
    assert (draft.status, len(draft.seed), len(draft.seed_commitment)) == ("scheduled", 64, 64)


def test_a_sale_that_is_scheduled_twice_ring_fences_once() -> None:
    draft = make_draft(units=3)
    sales.schedule(draft)
    with pytest.raises(sales.NotPossible, match="is scheduled, so it cannot become scheduled"):
        sales.schedule(draft)
    assert sum(Stock.objects.values_list("on_hand", flat=True)) == 3


def test_scheduling_more_units_than_are_free_is_refused_and_changes_nothing() -> None:
    draft = make_draft(units=3)
    item = draft.items.get()
    item.units = 4
    item.save()
    with pytest.raises(NotEnoughStock, match="has 3 free units in main; 4 would be needed"):
        sales.schedule(draft)
    assert Sale.objects.get().status == "draft"
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {"main": 3}


def test_an_empty_sale_or_one_in_the_past_cannot_be_scheduled() -> None:
    with pytest.raises(sales.NotPossible, match="at least one item"):
        sales.schedule(make_draft(items=0))
    now = timezone.now()
    past = make_draft(opens_at=now - timedelta(minutes=2), closes_at=now - timedelta(minutes=1))
    with pytest.raises(sales.NotPossible, match="close in the past"):
        sales.schedule(past)


def test_the_database_refuses_times_that_run_backward() -> None:
    with pytest.raises(IntegrityError, match="sale_times_run_forward"):
        make_draft(opens_at=CLOSES, closes_at=OPENS)


def held(sale: SaleInfo, count: int) -> list[Reservation]:
    stock_id = sale.items[0].stock_id
    assert stock_id is not None
    claims = [BatchClaim(uuid4(), str(n), 1) for n in range(count)]
    batches.reserve_batch(stock_id=stock_id, scope=sale.scope, limit=1, claims=claims, seconds=60)
    return list(Reservation.objects.order_by("holder"))


def test_units_are_left_held_or_sold_and_dead_holds_are_left() -> None:
    sale = make_sale(units=5)
    paid, dead, _live = held(sale, 3)
    reservations.confirm(reservation_ids=[paid.pk])
    Reservation.objects.filter(pk=dead.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    assert count_units(sale) == Units(left=3, held=1, sold=1, left_by_item={sale.items[0].id: 3})


def test_ending_returns_free_units_and_later_those_that_came_free_exactly_once() -> None:
    sale = make_sale(units=5)
    hold, *_ = held(sale, 2)
    row = Sale.objects.get()
    sales.end(row)

    def pools() -> dict[str, int]:
        return dict(Stock.objects.values_list("pool", "on_hand"))

    assert pools() == {"main": 3, sale.scope: 2}
    reservations.release(reservation_ids=[hold.pk], reason="let go")
    for _ in range(2):
        assert sales.close_due(now=timezone.now()) == []
        assert pools() == {"main": 4, sale.scope: 1}


def test_the_units_of_a_variant_that_was_renamed_past_the_back_office_come_back_too() -> None:
    sale = make_draft(units=3)
    sales.schedule(sale)
    Variant.objects.update(sku="OTHER")
    sales.end(sale)
    assert dict(Stock.objects.values_list("pool", "on_hand")) == {
        "main": 3,
        sales.pool_name(sale.pk): 0,
    }


def test_a_sale_whose_time_is_over_is_ended_once() -> None:
    sale = make_sale(units=5)
    later = timezone.now() + timedelta(hours=2)
    assert [ended.pk for ended in sales.close_due(now=later)] == [sale.id]
    assert sales.close_due(now=later) == []
    assert Stock.objects.get(pool="main").on_hand == 5


def test_pausing_and_resuming_go_both_ways_and_ending_goes_one() -> None:
    make_sale()
    row = Sale.objects.get()
    sales.pause(row)
    sales.resume(row)
    sales.end(row)
    with pytest.raises(sales.NotPossible, match="is ended, so it cannot become scheduled"):
        sales.resume(row)


def test_a_sale_with_stock_cannot_be_deleted() -> None:
    make_sale()
    with pytest.raises(ProtectedError):
        Stock.objects.all().delete()


def test_drafts_are_not_found_by_shoppers_and_copies_are_frozen() -> None:
    draft = make_draft()
    assert sales.find(draft.slug) is None
    sales.schedule(draft)
    found = sales.find(draft.slug)
    assert found is not None
    assert found.status == "scheduled"


def test_while_postgresql_is_away_the_last_copy_stands_and_it_is_asked_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale()
    monkeypatch.setattr(sales, "COPY_SECONDS", 0.0)
    known = sales.find(sale.slug)
    assert known is not None
    with database_away() as asked:
        assert [sales.find(sale.slug) for _ in range(10)] == [known] * 10
        assert len(asked) == 1
        with pytest.raises(OperationalError):
            sales.find("another")
    sales.forget_copies()
    Sale.objects.filter(pk=sale.id).update(name="Renamed")
    found = sales.find(sale.slug)
    assert found is not None
    assert found.name == "Renamed"


def test_while_one_looks_others_take_the_copy_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale()
    monkeypatch.setattr(sales, "COPY_SECONDS", 0.0)
    known = sales.find(sale.slug)
    seen: list[SaleInfo | None] = []

    def in_the_middle(execute: Any, *call: Any) -> Any:
        seen.append(sales.find(sale.slug))
        return execute(*call)

    with connection.execute_wrapper(in_the_middle):
        sales.find(sale.slug)
    assert seen == [known] * 2  # at each of the look's two queries, and with none of their own


def test_an_old_copy_is_given_to_nobody_while_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale()
    monkeypatch.setattr(sales, "COPY_SECONDS", 0.0)
    monkeypatch.setattr(sales, "LOOK_SECONDS", 0.0)
    sales.find(sale.slug)
    Sale.objects.filter(pk=sale.id).update(name="Renamed")
    seen: list[SaleInfo | None] = []

    def in_the_middle(execute: Any, *call: Any) -> Any:
        if not seen:
            seen.append(None)
            seen.append(sales.find(sale.slug))
        return execute(*call)

    with connection.execute_wrapper(in_the_middle):
        sales.find(sale.slug)
    (_, other) = seen
    assert other is not None
    assert other.name == "Renamed"
