"""Many browsers of one shopper, at the same moment."""

from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from flashsale import line, store
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from tests.factories import make_sale
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)

BROWSERS = 20


def join_at_once(sale: SaleInfo, shoppers: list[UUID]) -> list[line.Joined]:
    return at_once(
        *(partial(line.join, sale, shopper=shopper, now=timezone.now()) for shopper in shoppers)
    )


def line_with_one() -> SaleInfo:
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME)
    line.join(sale, shopper=uuid4(), now=timezone.now())
    return sale


def test_twenty_joins_of_one_shopper_at_once_are_one_number() -> None:
    sale = line_with_one()
    joined = join_at_once(sale, [uuid4()] * BROWSERS)
    assert {one.ticket.number for one in joined} == {2}
    assert sum(one.is_new for one in joined) == 1
    assert store.client().get(key(sale.id, "last")) == "2"


def test_twenty_shoppers_at_once_have_twenty_numbers_without_a_gap() -> None:
    joined = join_at_once(line_with_one(), [uuid4() for _ in range(BROWSERS)])
    assert sorted(one.ticket.number or 0 for one in joined) == list(range(2, BROWSERS + 2))


def test_control_a_look_before_the_number_gives_one_shopper_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same in two steps, as it would be without the script."""
    both_looked = Barrier(2)

    def look_then_take(name: str, *, keys: list[str], args: list[Any]) -> tuple[int, int]:
        known = store.client().hget(keys[0], args[0])
        both_looked.wait()
        if known:
            return int(known), 0
        number = store.client().incr(keys[1])
        store.client().hset(keys[0], args[0], number)
        return number, 1

    sale = line_with_one()
    monkeypatch.setattr(store, "run", look_then_take)
    joined = join_at_once(sale, [uuid4()] * 2)
    assert sorted(one.ticket.number or 0 for one in joined) == [2, 3]
