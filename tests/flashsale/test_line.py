import hashlib
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import gate, line, line_document, sales, store
from flashsale.keys import key
from flashsale.models import LineState, Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from tests.factories import make_sale

pytestmark = pytest.mark.django_db


def lobby(**fields: Any) -> SaleInfo:
    """A sale whose lobby is open and which opens in a minute."""
    now = timezone.now()
    times = {"lobby_opens_at": now - timedelta(hours=1), "opens_at": now + timedelta(minutes=1)}
    return make_sale(**{"queue_mode": Sale.QueueMode.DRAW} | times | fields)


def opened(sale: SaleInfo) -> datetime:
    return sale.opens_at + timedelta(seconds=1)


def where(sale: SaleInfo, ticket: Ticket, shopper: UUID, now: datetime) -> line.Position:
    document = line_document.read(sale, now=now)
    return line.position(sale, ticket=ticket, shopper=shopper, document=document, now=now)


def test_joining_in_the_lobby_is_a_draw_and_joining_twice_changes_nothing() -> None:
    sale, shopper, now = lobby(), uuid4(), timezone.now()
    assert line.join(sale, shopper=shopper, now=now) == line.Joined(Ticket(None), is_new=True)
    assert line.join(sale, shopper=shopper, now=now) == line.Joined(Ticket(None), is_new=False)
    document = line.renew(sale, now=now)
    assert (document["phase"], document["waiting"], document["draw_size"]) == ("lobby", 1, None)
    assert document["seed"] is None
    assert where(sale, Ticket(None), shopper, now).place is None


def test_the_seed_is_revealed_at_the_opening_and_fits_its_commitment() -> None:
    sale = lobby()
    line.join(sale, shopper=uuid4(), now=timezone.now())
    document = line.renew(sale, now=opened(sale))
    assert document["draw_size"] == 1
    assert hashlib.sha256(document["seed"].encode()).hexdigest() == sale.seed_commitment


def test_a_drawn_place_can_be_checked_by_anybody_with_what_is_published() -> None:
    sale, shopper = lobby(), uuid4()
    for other in [shopper, *(uuid4() for _ in range(40))]:
        line.join(sale, shopper=other, now=timezone.now())
    document = line.renew(sale, now=opened(sale))
    digest = int(hashlib.sha256(f"{document['seed']}:{shopper}".encode()).hexdigest(), 16)
    checked = digest * document["draw_size"] // 2**256 + 1
    assert where(sale, Ticket(None), shopper, opened(sale)).place == checked


def test_the_draw_favours_no_place() -> None:
    places = Counter(
        line.drawn_place(seed=str(seed), shopper=UUID(int=7), draw_size=10) for seed in range(5000)
    )
    assert set(places) == set(range(1, 11))
    chi_square = sum((count - 500) ** 2 / 500 for count in places.values())
    assert chi_square < 27.9  # 9 degrees of freedom, p = 0.001; the seeds are fixed


def test_latecomers_come_behind_the_draw_in_order_and_keep_their_number() -> None:
    sale, early, now = lobby(), uuid4(), timezone.now()
    line.join(sale, shopper=early, now=now)
    first, second = uuid4(), uuid4()
    line.renew(sale, now=opened(sale))
    assert line.join(sale, shopper=first, now=opened(sale)).ticket == Ticket(1)
    assert line.join(sale, shopper=second, now=opened(sale)).ticket == Ticket(2)
    again = line.join(sale, shopper=first, now=opened(sale))
    assert again == line.Joined(Ticket(1), is_new=False)
    places = [where(sale, Ticket(n), uuid4(), opened(sale)).place for n in (1, 2)]
    assert places == [2, 3]


def test_an_entrant_of_the_lobby_who_comes_back_without_the_ticket_keeps_the_drawn_place() -> None:
    sale, shopper = lobby(), uuid4()
    line.join(sale, shopper=shopper, now=timezone.now())
    line.renew(sale, now=opened(sale))
    again = line.join(sale, shopper=shopper, now=opened(sale))
    assert again == line.Joined(Ticket(None), is_new=False)


def test_in_a_crowd_too_large_for_the_filter_only_a_ticket_proves_the_lobby(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale, shopper = lobby(), uuid4()
    line.join(sale, shopper=shopper, now=timezone.now())
    line.renew(sale, now=opened(sale))
    monkeypatch.setattr(line, "SEEN_TRUSTED", 0)
    with_ticket = line.join(sale, shopper=shopper, now=opened(sale), proven=Ticket(None))
    assert with_ticket.ticket == Ticket(None)
    assert line.join(sale, shopper=shopper, now=opened(sale)).ticket == Ticket(1)


def test_first_come_gives_numbers_in_the_lobby_already() -> None:
    sale = lobby(queue_mode=Sale.QueueMode.FIRST_COME)
    assert line.join(sale, shopper=uuid4(), now=timezone.now()).ticket == Ticket(1)
    assert line.join(sale, shopper=uuid4(), now=timezone.now()).ticket == Ticket(2)


@pytest.mark.parametrize("status", [Sale.Status.ENDED, Sale.Status.CANCELLED])
def test_nobody_joins_the_line_of_a_sale_that_is_over(status: str) -> None:
    sale = lobby()
    Sale.objects.update(status=status)
    over = sales.describe(Sale.objects.get())
    with pytest.raises(line.CannotJoin):
        line.join(over, shopper=uuid4(), now=timezone.now())
    assert store.client().pfcount(key(sale.id, "entrants")) == 0


def test_nobody_joins_before_the_lobby_opens() -> None:
    sale = lobby(lobby_opens_at=timezone.now() + timedelta(seconds=30))
    with pytest.raises(line.CannotJoin):
        line.join(sale, shopper=uuid4(), now=timezone.now())


def test_a_place_that_a_ticket_proves_survives_the_loss_of_redis() -> None:
    sale = lobby()
    line.renew(sale, now=opened(sale))
    shoppers = [UUID(int=number) for number in range(3)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=opened(sale))
    line.renew(sale, now=opened(sale))
    store.client().flushdb()
    line.renew(sale, now=opened(sale) + timedelta(seconds=1))
    second = line.join(sale, shopper=shoppers[1], now=opened(sale), proven=Ticket(2))
    assert second.ticket == Ticket(2)
    newcomer = line.join(sale, shopper=uuid4(), now=opened(sale))
    assert newcomer.ticket == Ticket(4)
    assert line_document.read(sale, now=opened(sale))["draw_size"] == 0


def test_a_lobby_that_redis_lost_before_the_opening_still_has_its_draw() -> None:
    sale = lobby()
    shoppers = [UUID(int=number) for number in range(6)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=timezone.now())
    line.renew(sale, now=timezone.now())
    store.client().flushdb()
    line.renew(sale, now=opened(sale))
    document = line.renew(sale, now=opened(sale) + timedelta(seconds=1))
    assert document["draw_size"] == 6
    assert document["serving"]["base"] >= 1


def test_a_lobby_that_nobody_counted_before_it_was_lost_is_served_all_the_same() -> None:
    sale, shopper = lobby(), uuid4()
    line.join(sale, shopper=shopper, now=timezone.now())
    store.client().flushdb()
    line.renew(sale, now=opened(sale))
    now = opened(sale) + timedelta(seconds=1)
    line.renew(sale, now=now)
    assert where(sale, Ticket(None), shopper, now).is_served


def test_the_serving_number_goes_on_where_it_was_after_the_loss_of_redis() -> None:
    sale = lobby(units=5)
    gate.sync(sale, now=timezone.now())
    for _ in range(9):
        line.join(sale, shopper=uuid4(), now=timezone.now())
    start = opened(sale)
    line.renew(sale, now=start)
    before = line.renew(sale, now=start + timedelta(seconds=1))["serving"]["base"]
    assert before == 5
    store.client().flushdb()
    assert line_document.read(sale, now=start)["serving"] == {
        "base": 5.0,
        "rate": 0.0,
        "at": start.isoformat(),
        "until": start.isoformat(),
    }
    after = line.renew(sale, now=start + timedelta(seconds=2))["serving"]["base"]
    assert after == before
    assert LineState.objects.get().draw_size == 9


def test_a_paused_sale_serves_nobody_and_keeps_everybody_s_place() -> None:
    sale, shopper = lobby(units=5), uuid4()
    line.join(sale, shopper=shopper, now=timezone.now())
    line.renew(sale, now=opened(sale))
    Sale.objects.update(status=Sale.Status.PAUSED)
    paused = sales.describe(Sale.objects.get())
    document = line.renew(paused, now=opened(sale) + timedelta(seconds=5))
    assert (document["phase"], document["serving"]["rate"]) == ("paused", 0.0)
    position = where(paused, Ticket(None), shopper, opened(sale) + timedelta(seconds=5))
    assert (position.place, position.is_served) == (1, False)
