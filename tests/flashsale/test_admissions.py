from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import admissions, gate, line, store, tickets
from flashsale.admissions import Admitted, NoEntry, SentAway
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from tests.factories import make_sale

pytestmark = pytest.mark.django_db


def crowded(count: int, **fields: Any) -> tuple[SaleInfo, list[UUID], datetime]:
    """An open first-come sale with `count` shoppers in line, a second after it served the first."""
    chosen: dict[str, Any] = {"queue_mode": Sale.QueueMode.FIRST_COME, "units": 100} | fields
    sale = make_sale(**chosen)
    now = timezone.now()
    shoppers = [uuid4() for _ in range(count)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=now)
    line.renew(sale, now=now)
    return sale, shoppers, now + timedelta(seconds=1)


def enter(
    sale: SaleInfo, number: int, shopper: UUID, now: datetime
) -> admissions.Admitted | admissions.SentAway:
    return admissions.enter(sale, shopper=shopper, ticket=Ticket(number), now=now)


def test_a_served_ticket_is_traded_for_an_admission_of_its_shopper_alone() -> None:
    sale, (shopper,), now = crowded(1)
    result = enter(sale, 1, shopper, now)
    assert isinstance(result, Admitted)
    ends = tickets.read_admission(result.admission, sale_id=sale.id, shopper=shopper, now=now)
    assert ends == result.expires_at
    assert abs((ends - now).total_seconds() - sale.admission_seconds) <= 1
    for wrong in (
        {"sale_id": sale.id, "shopper": uuid4(), "now": now},
        {"sale_id": sale.id + 1, "shopper": shopper, "now": now},
        {"sale_id": sale.id, "shopper": shopper, "now": ends},
    ):
        with pytest.raises(tickets.NotValid):
            tickets.read_admission(result.admission, **wrong)  # type: ignore[arg-type]  # of a table


def test_asking_again_returns_the_same_admission() -> None:
    sale, (shopper,), now = crowded(1)
    first = enter(sale, 1, shopper, now)
    again = enter(sale, 1, shopper, now + timedelta(seconds=5))
    assert first == again
    assert store.client().zcard(key(sale.id, "active")) == 1


def test_nobody_enters_before_their_turn() -> None:
    sale, shoppers, now = crowded(3, admission_cap=2)
    assert isinstance(enter(sale, 2, shoppers[1], now), Admitted)
    result = enter(sale, 3, shoppers[2], now)
    assert isinstance(result, SentAway)
    assert result.reason is NoEntry.TOO_EARLY
    assert store.client().zcard(key(sale.id, "active")) == 1


def test_who_is_near_the_front_is_asked_to_come_again_soon_whatever_the_wait_is_told_as() -> None:
    # Room for one, for a minute and a half each; and no more units than for one.
    for fields in ({"admission_cap": 1}, {"units": 1}):
        sale, shoppers, now = crowded(80, **fields)
        retries = [enter(sale, number, shoppers[number - 1], now) for number in (2, 5, 80)]
        assert retries == [SentAway(NoEntry.TOO_EARLY, seconds) for seconds in (2, 3, 60)]


def test_who_is_far_behind_a_fast_line_is_asked_to_come_again_when_it_is_their_turn() -> None:
    sale, shoppers, now = crowded(80, units=1000, admissions_per_minute=240)
    assert enter(sale, 80, shoppers[79], now) == SentAway(NoEntry.TOO_EARLY, 18)


def test_the_cap_holds_even_for_those_who_were_served() -> None:
    sale, shoppers, now = crowded(3, admission_cap=3)
    store.client().zadd(
        key(sale.id, "active"), {"x": 9e15, "y": 9e15}
    )  # two whom the controller did not know of
    assert isinstance(enter(sale, 1, shoppers[0], now), Admitted)
    assert enter(sale, 2, shoppers[1], now) == SentAway(NoEntry.FULL, 2)


def test_no_more_are_let_in_than_there_are_units() -> None:
    sale, shoppers, now = crowded(3, units=2)
    store.client().zadd(key(sale.id, "active"), {"x": 9e15})
    assert isinstance(enter(sale, 1, shoppers[0], now), Admitted)
    assert enter(sale, 2, shoppers[1], now) == SentAway(NoEntry.FULL, 2)


def test_an_admission_that_ran_out_makes_room() -> None:
    sale, shoppers, now = crowded(2, admission_cap=2)
    store.client().zadd(key(sale.id, "active"), {"gone": gate.milliseconds(now) - 1})
    assert isinstance(enter(sale, 1, shoppers[0], now), Admitted)
    assert isinstance(enter(sale, 2, shoppers[1], now), Admitted)


def test_leaving_gives_the_place_back() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    admissions.leave(sale, shopper=shopper)
    assert store.client().zcard(key(sale.id, "active")) == 0


def test_a_claim_gives_the_place_back() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    gate.claim(
        sale_id=sale.id,
        shopper=shopper,
        item=sale.items[0].id,
        quantity=1,
        purchase=uuid4(),
        now=now,
        needs_admission=True,
    )
    assert store.client().zcard(key(sale.id, "active")) == 0


def test_with_every_unit_held_nobody_is_let_in_and_they_are_told_why() -> None:
    sale, (shopper,), now = crowded(1)
    store.client().hset(key(sale.id, "gate"), f"free:{sale.items[0].id}", 0)
    assert enter(sale, 1, shopper, now) == SentAway(NoEntry.ALL_HELD, 2)


@pytest.mark.parametrize("value", ["", "x", "1:2:3", "1:2:3:sig", ":::"])
def test_a_forged_ticket_is_not_valid(value: str) -> None:
    with pytest.raises(tickets.NotValid):
        tickets.read_ticket(value, sale_id=1, shopper=uuid4())


def test_a_ticket_is_good_for_one_sale_and_one_shopper() -> None:
    shopper = uuid4()
    value = tickets.sign_ticket(Ticket(7), sale_id=1, shopper=shopper)
    assert tickets.read_ticket(value, sale_id=1, shopper=shopper) == Ticket(7)
    with pytest.raises(tickets.NotValid):
        tickets.read_ticket(value, sale_id=2, shopper=shopper)
    with pytest.raises(tickets.NotValid):
        tickets.read_ticket(value, sale_id=1, shopper=uuid4())
    with pytest.raises(tickets.NotValid):
        tickets.read_admission(value, sale_id=1, shopper=shopper, now=timezone.now())
