from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from flashsale import (
    admissions,
    buying,
    gate,
    line,
    line_document,
    sales,
    steering,
    store,
    tickets,
)
from flashsale.admissions import RETRY_SECONDS, Admitted, NoEntry, SentAway
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.keys import key
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo
from flashsale.tasks import close_sales, drain_purchases
from flashsale.tickets import Ticket
from inventory.models import Reservation, Stock
from shop.models import User
from tests.away import redis_away
from tests.factories import make_sale, make_user

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


# Giving back


def inside(sale: SaleInfo) -> list[str]:
    return list(store.client().zrange(key(sale.id, "active"), 0, -1))


def ends_of(sale: SaleInfo, shopper: UUID) -> int | None:
    score = store.client().zscore(key(sale.id, "active"), str(shopper))
    return None if score is None else int(score)


def click(sale: SaleInfo, shopper: UUID, now: datetime, *, item: int = 0, quantity: int = 1) -> Any:
    return buying.buy(
        sale=sale,
        shopper=shopper,
        item=sale.items[item].id,
        quantity=quantity,
        attempt=str(uuid4()),
        now=now,
    )


def take_all(sale: SaleInfo, *items: int) -> None:
    """Others have claimed all units of these items."""
    for item in items:
        store.client().hset(key(sale.id, "gate"), f"free:{sale.items[item].id}", 0)


@pytest.mark.parametrize("known", [False, True])
def test_sold_out_gives_the_place_inside_back_whether_asked_or_remembered(known: bool) -> None:
    sale, shoppers, now = crowded(2)
    for number, shopper in enumerate(shoppers, start=1):
        enter(sale, number, shopper, now)
    take_all(sale, 0)
    if known:
        assert click(sale, shoppers[1], now) == Refused(Refusal.SOLD_OUT)
    assert click(sale, shoppers[0], now) == Refused(Refusal.SOLD_OUT)
    assert inside(sale) == ([] if known else [str(shoppers[1])])


def test_sold_out_keeps_the_place_inside_while_another_item_has_units() -> None:
    sale, (shopper,), now = crowded(1, items=2)
    enter(sale, 1, shopper, now)
    take_all(sale, 0)
    assert click(sale, shopper, now) == Refused(Refusal.SOLD_OUT)
    assert inside(sale) == [str(shopper)]
    take_all(sale, 1)
    assert click(sale, shopper, now, item=1) == Refused(Refusal.SOLD_OUT)
    assert inside(sale) == []


def test_who_was_told_sold_out_comes_in_again_with_what_comes_back() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    take_all(sale, 0)
    click(sale, shopper, now)
    store.client().hset(key(sale.id, "gate"), f"free:{sale.items[0].id}", 1)
    assert isinstance(enter(sale, 1, shopper, now + timedelta(seconds=1)), Admitted)


def test_the_limit_gives_the_place_inside_back_and_asking_for_too_many_does_not() -> None:
    sale, (shopper,), now = crowded(1, limit_per_shopper=2)
    enter(sale, 1, shopper, now)
    assert isinstance(click(sale, shopper, now), Accepted)
    assert click(sale, shopper, now, quantity=2).reason is Refusal.LIMIT_REACHED
    assert inside(sale) == [str(shopper)]
    assert isinstance(click(sale, shopper, now), Accepted)
    enter(sale, 1, shopper, now)
    assert click(sale, shopper, now).reason is Refusal.LIMIT_REACHED
    assert inside(sale) == []


@pytest.mark.parametrize("strategy", Sale.Strategy)
def test_who_has_their_share_is_not_let_in_again_and_keeps_nobody_out(strategy: str) -> None:
    sale, _, now = crowded(2, units=2, strategy=strategy)
    winner, other = make_user().shopper_id, make_user().shopper_id
    enter(sale, 1, winner, now)
    assert isinstance(click(sale, winner, now), Accepted)
    assert inside(sale) == []
    assert enter(sale, 1, winner, now) == SentAway(NoEntry.LIMIT_REACHED, RETRY_SECONDS)
    line.renew(sale, now=now)
    line_document.forget_all()
    assert isinstance(enter(sale, 2, other, now), Admitted)


@pytest.mark.parametrize("strategy", Sale.Strategy)
def test_whose_hold_came_back_is_let_in_again(strategy: str) -> None:
    sale, _, now = crowded(1, units=2, strategy=strategy)
    shopper = make_user().shopper_id
    enter(sale, 1, shopper, now)
    click(sale, shopper, now)
    drain_purchases(sale.id)
    assert enter(sale, 1, shopper, now) == SentAway(NoEntry.LIMIT_REACHED, RETRY_SECONDS)
    Reservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert isinstance(enter(sale, 1, shopper, now), Admitted)


def test_an_admission_that_is_left_when_the_limit_is_reached_elsewhere_is_given_back() -> None:
    sale, _, now = crowded(1, strategy=Sale.Strategy.LOCK, limit_per_shopper=2)
    shopper = make_user().shopper_id
    enter(sale, 1, shopper, now)
    assert isinstance(click(sale, shopper, now), Accepted)
    assert inside(sale) == [str(shopper)]
    assert isinstance(click(sale, shopper, now), Accepted)
    assert inside(sale) == []


@pytest.mark.parametrize("one_comes_and_goes", [False, True])
def test_one_who_comes_and_goes_does_not_slow_the_line(one_comes_and_goes: bool) -> None:
    """A pace of sixty a minute is kept, whatever one of them does."""
    sale, shoppers, now = crowded(200, units=1000, admission_cap=200, admissions_per_minute=60)
    came = 0
    for _ in range(60):
        now += timedelta(seconds=1)
        line.renew(sale, now=now)
        line_document.forget_all()
        if one_comes_and_goes:
            enter(sale, 1, shoppers[0], now)
            admissions.leave(sale, shopper=shoppers[0])
        while isinstance(enter(sale, came + 2, shoppers[came + 1], now), Admitted):
            came += 1
    assert 50 <= came <= 70


def test_who_comes_in_three_times_is_one_who_came() -> None:
    sale, (shopper, *_), now = crowded(3)
    for _ in range(3):
        assert isinstance(enter(sale, 1, shopper, now), Admitted)
        admissions.leave(sale, shopper=shopper)
    assert store.client().get(key(sale.id, "entered")) == "1"


def test_after_the_sell_out_nobody_is_told_to_wait_for_their_turn() -> None:
    sale, (shopper,), now = crowded(1)
    Stock.objects.filter(pool=sale.scope).update(on_hand=0)
    line.renew(sale, now=now)
    line_document.forget_all()
    assert enter(sale, 1, shopper, now) == SentAway(NoEntry.SOLD_OUT, RETRY_SECONDS)


def test_a_gate_that_redis_lost_is_set_again_by_who_comes_to_the_door() -> None:
    sale, (shopper,), now = crowded(1)
    store.client().delete(key(sale.id, "gate"))
    assert isinstance(enter(sale, 1, shopper, now), Admitted)


def test_with_redis_away_a_refusal_is_told_all_the_same() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    take_all(sale, 0)
    click(sale, uuid4(), now)
    with redis_away():
        assert isinstance(click(sale, shopper, now), Refused)


# Closing the page


def test_closing_the_page_shortens_the_admission_to_its_grace_and_never_lengthens_it() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    admissions.close_page(sale, shopper=shopper, now=now)
    grace = gate.milliseconds(now + timedelta(seconds=admissions.GRACE_SECONDS))
    assert ends_of(sale, shopper) == grace
    admissions.close_page(sale, shopper=shopper, now=now + timedelta(seconds=5))
    assert ends_of(sale, shopper) == grace
    admissions.close_page(sale, shopper=uuid4(), now=now)
    assert inside(sale) == [str(shopper)]


@pytest.mark.parametrize("seen", ["on a page", "at the door"])
def test_who_is_seen_in_time_has_the_whole_admission_again(seen: str) -> None:
    sale, (shopper,), now = crowded(1)
    before = enter(sale, 1, shopper, now)
    whole = ends_of(sale, shopper)
    admissions.close_page(sale, shopper=shopper, now=now)
    later = now + timedelta(seconds=3)
    if seen == "on a page":
        assert admissions.stay(sale, shopper=shopper, now=later)
    else:
        assert enter(sale, 1, shopper, later) == before
    assert ends_of(sale, shopper) == whole
    assert store.client().hgetall(key(sale.id, "away")) == {}


def test_after_the_grace_the_next_in_line_has_the_place_and_nobody_takes_it_back() -> None:
    sale, shoppers, now = crowded(2, admission_cap=1)
    line.renew(sale, now=now)
    enter(sale, 1, shoppers[0], now)
    admissions.close_page(sale, shopper=shoppers[0], now=now)
    later = now + timedelta(seconds=admissions.GRACE_SECONDS)
    for moment in (later, later + timedelta(seconds=1)):
        line.renew(sale, now=moment)
    later += timedelta(seconds=1)
    assert isinstance(enter(sale, 2, shoppers[1], later), Admitted)
    assert not admissions.stay(sale, shopper=shoppers[0], now=later)
    assert inside(sale) == [str(shoppers[1])]


def test_a_new_admission_knows_nothing_of_the_page_that_was_closed_before() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    admissions.close_page(sale, shopper=shopper, now=now)
    admissions.leave(sale, shopper=shopper)
    later = now + timedelta(seconds=30)
    line.renew(sale, now=later)
    assert isinstance(enter(sale, 1, shopper, later), Admitted)
    ends = ends_of(sale, shopper)
    assert admissions.stay(sale, shopper=shopper, now=later)
    assert ends_of(sale, shopper) == ends


def browser_inside(sale: SaleInfo, user: User) -> Client:
    """A browser that was let in by the pages."""
    client = Client()
    client.force_login(user)
    client.get("/account/")
    client.post(f"/sales/{sale.slug}/line/join/")
    moment = timezone.now()
    for now in (moment - timedelta(seconds=1), moment):
        line.renew(sale, now=now)
    client.post(f"/sales/{sale.slug}/line/enter/")
    assert f"admission-{sale.id}" in client.cookies
    return client


def open_line(**fields: Any) -> SaleInfo:
    chosen: dict[str, Any] = {"queue_mode": Sale.QueueMode.FIRST_COME, "units": 9} | fields
    return make_sale(**chosen)


@pytest.mark.parametrize("page", ["/sales/{}/", "/sales/{}/line/"])
def test_a_reload_keeps_the_admission_that_the_beacon_shortened(page: str) -> None:
    sale, user = open_line(), make_user()
    client = browser_inside(sale, user)
    whole = ends_of(sale, user.shopper_id)
    beacon = client.post(f"/sales/{sale.slug}/line/away/")
    assert (beacon.status_code, beacon.content) == (204, b"")
    assert ends_of(sale, user.shopper_id) != whole
    client.get(page.format(sale.slug))
    assert ends_of(sale, user.shopper_id) == whole


def test_another_page_of_the_shop_changes_no_admission() -> None:
    sale, user = open_line(), make_user()
    client = browser_inside(sale, user)
    whole = ends_of(sale, user.shopper_id)
    for page in ("/", "/sales/", "/cart/"):
        client.get(page)
    assert ends_of(sale, user.shopper_id) == whole


def test_who_is_not_inside_any_more_is_not_shown_as_inside_by_an_old_cookie() -> None:
    sale, user = open_line(), make_user()
    client = browser_inside(sale, user)
    assert "You are in." in client.get(f"/sales/{sale.slug}/").content.decode()
    admissions.let_all_out(sale)
    for page in (f"/sales/{sale.slug}/", f"/sales/{sale.slug}/line/"):
        body = client.get(page).content.decode()
        assert "You are in." not in body
        assert "data-admitted" not in body


def test_with_redis_away_the_signature_is_believed() -> None:
    sale, user = open_line(), make_user()
    client = browser_inside(sale, user)
    with redis_away():
        assert "You are in." in client.get(f"/sales/{sale.slug}/").content.decode()
        assert client.post(f"/sales/{sale.slug}/line/away/").status_code == 204


# At the checkout


def hold_one(sale: SaleInfo, user: User, *, now: datetime) -> Purchase:
    accepted = click(sale, user.shopper_id, now)
    drain_purchases(sale.id)
    return Purchase.objects.select_related("reservation").get(pk=accepted.purchase)


def test_the_admission_lasts_as_long_as_the_hold_that_is_being_paid() -> None:
    sale, user = open_line(limit_per_shopper=2, admission_seconds=60, hold_seconds=600), make_user()
    client = browser_inside(sale, user)
    purchase = hold_one(sale, user, now=timezone.now())
    assert purchase.reservation is not None
    hold_ends = purchase.reservation.expires_at
    answer = client.get(f"/purchases/{purchase.pk}/checkout/")
    assert answer.status_code == 200
    assert ends_of(sale, user.shopper_id) == gate.milliseconds(hold_ends)
    value = answer.cookies[f"admission-{sale.id}"].value
    shown = tickets.read_admission(
        value, sale_id=sale.id, shopper=user.shopper_id, now=timezone.now()
    )
    assert shown == hold_ends.replace(microsecond=0)


def test_the_checkout_keeps_an_admission_no_longer_than_its_maximum() -> None:
    sale, user = (
        open_line(limit_per_shopper=2, admission_seconds=60, hold_seconds=3600),
        make_user(),
    )
    client = browser_inside(sale, user)
    purchase = hold_one(sale, user, now=timezone.now())
    for _ in range(2):
        client.get(f"/purchases/{purchase.pk}/checkout/")
    longest = purchase.claimed_at + timedelta(seconds=admissions.CHECKOUT_SECONDS)
    assert ends_of(sale, user.shopper_id) == gate.milliseconds(longest)


def test_the_checkout_lets_nobody_in_whose_limit_used_the_admission_up() -> None:
    sale, user = open_line(hold_seconds=600), make_user()
    client = browser_inside(sale, user)
    purchase = hold_one(sale, user, now=timezone.now())
    answer = client.get(f"/purchases/{purchase.pk}/checkout/")
    assert f"admission-{sale.id}" not in answer.cookies
    assert inside(sale) == []


# A pause and the end


@pytest.mark.parametrize("step", [steering.pause, steering.end, steering.cancel])
def test_nobody_is_inside_a_sale_that_does_not_run(step: Callable[[Sale], None]) -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    step(Sale.objects.get())
    assert inside(sale) == []
    assert click(sales.describe(Sale.objects.get()), shopper, now) == Refused(Refusal.NOT_OPEN)
    # A process whose copy of the sale is a second old lets nobody in, and takes nothing.
    assert isinstance(enter(sale, 1, shopper, now), SentAway)
    assert inside(sale) == []
    assert click(sale, shopper, now) == Refused(Refusal.NOT_OPEN)
    assert store.client().xlen(key(sale.id, "claims")) == 0


def test_nobody_is_inside_after_the_time_of_the_sale() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    Sale.objects.update(closes_at=timezone.now())
    close_sales()
    assert inside(sale) == []


def test_other_changes_of_a_running_sale_let_nobody_out() -> None:
    sale, (shopper,), now = crowded(1)
    enter(sale, 1, shopper, now)
    assert steering.tell(Sale.objects.get())
    assert inside(sale) == [str(shopper)]


def test_after_a_pause_an_old_admission_buys_nothing_and_its_shopper_comes_in_again_at_once() -> (
    None
):
    sale, shoppers, now = crowded(3, admission_cap=1)
    line.renew(sale, now=now)
    first = enter(sale, 1, shoppers[0], now)
    assert isinstance(first, Admitted)
    steering.pause(Sale.objects.get())
    steering.resume(Sale.objects.get())
    assert tickets.read_admission(
        first.admission, sale_id=sale.id, shopper=shoppers[0], now=now
    )  # the signature alone is good
    assert click(sale, shoppers[0], now) == Refused(Refusal.NO_ADMISSION)
    moment = timezone.now()
    assert isinstance(enter(sale, 1, shoppers[0], moment), Admitted)
    assert isinstance(click(sale, shoppers[0], moment), Accepted)
    later = enter(sale, 3, shoppers[2], moment)
    assert isinstance(later, SentAway)
    assert later.reason is NoEntry.TOO_EARLY


def test_nobody_slips_in_while_a_pause_lets_everybody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line document still says open then; the gate was shut before, and decides."""
    sale, (shopper,), now = crowded(1)
    let_all_out, tried = admissions.let_all_out, []

    def slip_in(info: SaleInfo) -> None:
        tried.append(enter(sale, 1, shopper, now))
        let_all_out(info)
        tried.append(enter(sale, 1, shopper, now))

    monkeypatch.setattr(admissions, "let_all_out", slip_in)
    steering.pause(Sale.objects.get())
    assert tried == [SentAway(NoEntry.NOT_OPEN, 2)] * 2
    assert inside(sale) == []
