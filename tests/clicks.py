"""What tests do at a sale's gate: open a sale, click on Buy, queue a claim, and look what became of it."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from flashsale import buying, gate, store
from flashsale.buying import Accepted, Refused
from flashsale.keys import key
from flashsale.sales import SaleInfo
from shop.models import User
from tests.factories import make_sale


def open_sale(**fields: Any) -> SaleInfo:
    """A sale whose gate is set."""
    sale = make_sale(**fields)
    assert gate.sync(sale, now=timezone.now())
    return sale


def click(
    sale: SaleInfo,
    user: User,
    *,
    item: int | None = None,
    quantity: int = 1,
    attempt: str = "",
    now: datetime | None = None,
) -> Accepted | Refused:
    """What the web server does with a click on Buy, but for the ring that asks for a drain.

    Without an `attempt` each click is one of its own.
    """
    return buying.buy(
        sale=sale,
        shopper=user.shopper_id,
        item=sale.items[0].id if item is None else item,
        quantity=quantity,
        attempt=attempt,
        now=now or timezone.now(),
    )


def accepted(result: Accepted | Refused) -> Accepted:
    assert isinstance(result, Accepted)
    return result


def claim(sale: SaleInfo, user: User, *, purchase: UUID | None = None) -> UUID:
    """A claim that the gate lets through, and that nobody rings for."""
    purchase = purchase or uuid4()
    claimed = gate.claim(
        sale_id=sale.id,
        shopper=user.shopper_id,
        item=sale.items[0].id,
        quantity=1,
        purchase=purchase,
        now=timezone.now(),
    )
    assert claimed.answer is gate.Answer.QUEUED
    return purchase


def queued(sale: SaleInfo) -> int:
    """Claims that wait in the purchase queue."""
    return int(store.client().xlen(key(sale.id, "claims")))


def free_at_the_gate(sale: SaleInfo) -> int | None:
    """Units of the first item that may still be claimed; None when there is no gate."""
    free = store.client().hget(key(sale.id, "gate"), f"free:{sale.items[0].id}")
    return None if free is None else int(free)
