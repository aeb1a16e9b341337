import hashlib
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import gate, line, line_document, sales, store
from flashsale.controller import Reason
from flashsale.keys import key
from flashsale.models import LineState, Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from tests.away import redis_away
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
        "pace": None,
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
    assert position.wait_seconds is None
    assert (document["serving"]["pace"], document["waiting"]) == (None, 0)


def in_line(count: int, **fields: Any) -> SaleInfo:
    """A sale that is open, with `count` shoppers in line."""
    sale = lobby(**{"queue_mode": Sale.QueueMode.FIRST_COME, "units": 100} | fields)
    for _ in range(count):
        line.join(sale, shopper=uuid4(), now=opened(sale))
    return sale


def test_a_wait_is_told_by_the_pace_and_not_by_what_is_called_this_second() -> None:
    sale = in_line(40, admissions_per_minute=60)
    now = opened(sale)
    document = line.renew(sale, now=now)
    # The pace, and half as much again to have shoppers on their way.
    assert (document["serving"]["rate"], document["serving"]["pace"]) == (1.5, 1.0)
    position = where(sale, Ticket(30), uuid4(), now)
    assert position.ahead == 29
    assert position.wait_seconds == pytest.approx(1 + 28.5, abs=1e-5)
    again = where(sale, Ticket(30), uuid4(), now + timedelta(seconds=0.5))
    assert again.wait_seconds == pytest.approx(0.5 + 28.5, abs=1e-5)


def test_nobody_is_told_a_wait_when_more_are_ahead_than_units_are_left() -> None:
    sale = in_line(102, units=100, admissions_per_minute=60)
    now = opened(sale)
    line.renew(sale, now=now)
    waits = [where(sale, Ticket(place), uuid4(), now).wait_seconds for place in (100, 101)]
    assert waits == [pytest.approx(1 + 98.5, abs=1e-5), None]


def test_claims_that_wait_to_be_settled_stop_the_line(settings: Any) -> None:
    sale = in_line(40)
    now = opened(sale)
    line.renew(sale, now=now)
    for _ in range(6):
        gate.claim(
            sale_id=sale.id,
            shopper=uuid4(),
            item=sale.items[0].id,
            quantity=1,
            purchase=uuid4(),
            now=now,
        )
    settings.PURCHASES_PER_SECOND = 1
    serving = line.renew(sale, now=now + timedelta(seconds=0.5))["serving"]
    assert (serving["base"], serving["rate"]) == (20, 0)
    memory = line.remembered(sale)
    assert memory is not None
    assert memory.reason is Reason.BACKLOG
    settings.PURCHASES_PER_SECOND = 2
    assert line.renew(sale, now=now + timedelta(seconds=0.5))["serving"]["rate"] == 20


def test_what_another_version_remembered_is_not_read_and_the_line_goes_on() -> None:
    sale = in_line(9, units=5)
    now = opened(sale)
    line.renew(sale, now=now)
    line.renew(sale, now=now + timedelta(seconds=1))
    old = {"serving": {"base": 5.0, "rate": 0.0, "at": 0.0, "until": 1.0}, "samples": [[0.0, 5.0]]}
    store.client().set(key(sale.id, "controller"), json.dumps(old))
    assert line.remembered(sale) is None
    assert line.renew(sale, now=now + timedelta(seconds=2))["serving"]["base"] == 5
    assert line.remembered(sale) is not None


def test_a_document_of_an_older_version_is_read_and_tells_no_wait() -> None:
    sale = in_line(40, admissions_per_minute=60)
    now = opened(sale)
    document = line.renew(sale, now=now)
    del document["serving"]["pace"]
    position = line.position(sale, ticket=Ticket(30), shopper=uuid4(), document=document, now=now)
    assert (position.ahead, position.wait_seconds) == (29, None)


def test_with_redis_away_those_who_wait_are_still_counted() -> None:
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, admission_cap=1)
    now = timezone.now()
    for _ in range(50):
        line.join(sale, shopper=uuid4(), now=now)
    for seconds in range(3):
        line.renew(sale, now=now + timedelta(seconds=seconds))
    known = line_document.read(sale, now=now)["waiting"]
    assert known > 40
    with redis_away():
        assert line_document.read(sale, now=now)["waiting"] == known


def test_a_line_that_nobody_carries_on_promises_no_wait() -> None:
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, admission_cap=10, units=1000)
    now = timezone.now()
    shoppers = [uuid4() for _ in range(80)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=now)
    line.renew(sale, now=now)
    document = line_document.read(sale, now=now)

    def wait(moment: datetime) -> float | None:
        return line.position(
            sale, ticket=Ticket(50), shopper=shoppers[49], document=document, now=moment
        ).wait_seconds

    assert wait(now) is not None
    assert wait(now + timedelta(minutes=1)) is None


def test_a_number_given_out_while_the_counter_is_brought_back_is_not_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME)
    now = timezone.now()
    for _ in range(5):
        line.join(sale, shopper=uuid4(), now=now)
    line.renew(sale, now=now)
    store.client().delete(key(sale.id, "last"), key(sale.id, "numbers"))
    run, numbers = store.run, []

    def in_between(name: str, **call: Any) -> Any:
        if name == "atleast":
            monkeypatch.setattr(store, "run", run)
            numbers.append(line.join(sale, shopper=uuid4(), now=now).ticket.number)
        return run(name, **call)

    monkeypatch.setattr(store, "run", in_between)
    line.renew(sale, now=now)
    numbers.append(line.join(sale, shopper=uuid4(), now=now).ticket.number)
    assert numbers == [6, 7]
