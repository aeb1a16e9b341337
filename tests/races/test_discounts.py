"""Many orders at once with a code that may be used once; the guard, and a control without it."""

from collections import Counter
from functools import partial
from io import StringIO
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command

from shop import checkout, discounts
from shop.checkout import CodeRefused, Placed, Refusal, Wishes
from shop.models import DiscountCode, Order, User, Variant
from tests.factories import make_user, make_variant
from tests.races.moment import at_once
from tests.shop.ordering import ADDRESS, line
from tests.shop.selling import make_code

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS = 10


def place(user: User, lamp: Variant, key: UUID | None = None) -> Placed | Refusal:
    return checkout.place_order(
        key=key or uuid4(),
        user=user,
        email=user.email,
        address=ADDRESS,
        lines=[line(lamp)],
        wishes=Wishes(discount_code="ONCE"),
    )


def judged_before_anybody_ordered(patch: pytest.MonkeyPatch, number: int) -> None:
    """The worst moment: everybody's look at the code is over before the first one uses it."""
    meanwhile, judge = Barrier(number), discounts.judge

    def look_and_wait(**arguments: object) -> object:
        outcome = judge(**arguments)  # type: ignore[arg-type]  # handed on as they came
        meanwhile.wait(timeout=30)
        return outcome

    patch.setattr(discounts, "judge", look_and_wait)


def test_a_code_of_one_use_is_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_code("ONCE", max_uses=1)
    lamp, users = make_variant(units=BUYERS), [make_user() for _ in range(BUYERS)]
    judged_before_anybody_ordered(monkeypatch, BUYERS)
    outcomes = at_once(*(partial(place, user, lamp) for user in users))
    assert Counter(map(type, outcomes)) == {Placed: 1, CodeRefused: BUYERS - 1}
    assert {outcome for outcome in outcomes if isinstance(outcome, CodeRefused)} == {
        CodeRefused(discounts.USED_UP)
    }
    assert (Order.objects.count(), DiscountCode.objects.get().uses) == (1, 1)
    call_command("audit", stdout=StringIO())


def test_one_customer_with_five_tabs_uses_it_as_often_as_one_person_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_code("ONCE", max_uses_per_customer=2)
    lamp, user = make_variant(units=5), make_user()
    judged_before_anybody_ordered(monkeypatch, 5)
    outcomes = at_once(*[partial(place, user, lamp)] * 5)
    assert Counter(map(type, outcomes)) == {Placed: 2, CodeRefused: 3}
    assert DiscountCode.objects.get().uses == 2
    call_command("audit", stdout=StringIO())


def test_two_clicks_with_the_last_use_are_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    make_code("ONCE", max_uses=1)
    lamp, user, key = make_variant(units=5), make_user(), uuid4()
    judged_before_anybody_ordered(monkeypatch, 2)
    outcomes = at_once(*[partial(place, user, lamp, key)] * 2)
    assert sorted(outcome.is_new for outcome in outcomes) == [False, True]
    assert (Order.objects.count(), DiscountCode.objects.get().uses) == (1, 1)


def test_control_codes_that_are_read_and_then_counted_are_used_ten_times() -> None:
    """What many shops do: everybody reads before anybody writes."""
    make_code("ONCE", max_uses=1)
    meanwhile = Barrier(BUYERS)

    def read_and_then_write() -> bool:
        code = DiscountCode.objects.get()
        meanwhile.wait(timeout=30)
        if code.max_uses is None or code.uses >= code.max_uses:
            return False
        code.uses += 1
        code.save()
        return True

    assert at_once(*[read_and_then_write] * BUYERS) == [True] * BUYERS
