"""A process full of buyers: `python -m tests.races.buyers WAY SALE FIRST LAST`, started at the same moment.

WAY is `claim` (the shop's own way) or `naive` (read what is left, then write: the control that oversells).
Prints one outcome a buyer. The environment names the databases.
"""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import django

THREADS = 8


def claim_one(sale_slug: str) -> Callable[[UUID], str]:
    from django.utils import timezone  # noqa: PLC0415 -- after django.setup()

    from flashsale import buying, sales  # noqa: PLC0415
    from flashsale.tasks import drain_purchases  # noqa: PLC0415

    def buy(shopper: UUID) -> str:
        sale = sales.find(sale_slug)
        assert sale is not None
        result: buying.Accepted | buying.Refused = buying.Refused(buying.Refusal.BUSY)
        while result == buying.Refused(buying.Refusal.BUSY):  # a shopper who is told to try again
            result = buying.buy(
                sale=sale,
                shopper=shopper,
                item=sale.items[0].id,
                quantity=1,
                attempt="race",
                now=timezone.now(),
            )
        if isinstance(result, buying.Accepted):
            if result.ring:
                drain_purchases(sale.id)
            return "accepted"
        return result.reason

    return buy


def naive_one(sale_slug: str) -> Callable[[UUID], str]:
    from datetime import timedelta  # noqa: PLC0415
    from uuid import uuid4  # noqa: PLC0415

    from django.utils import timezone  # noqa: PLC0415

    from flashsale import sales  # noqa: PLC0415
    from inventory.models import Reservation, Stock  # noqa: PLC0415

    def buy(shopper: UUID) -> str:
        sale = sales.find(sale_slug)
        assert sale is not None
        stock = Stock.objects.get(pool=sale.scope)
        if stock.available < 1:
            return "sold_out"
        time.sleep(0.002)  # what a template or a payment form takes, at the least
        stock.allocated += 1
        stock.save()
        Reservation.objects.create(
            key=uuid4(),
            stock=stock,
            quantity=1,
            holder=str(shopper),
            expires_at=timezone.now() + timedelta(minutes=1),
        )
        return "accepted"

    return buy


def main(way: str, sale_slug: str, first: int, last: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    from shop.models import User  # noqa: PLC0415

    shoppers = list(User.objects.order_by("pk").values_list("shopper_id", flat=True)[first:last])
    buy = {"claim": claim_one, "naive": naive_one}[way](sale_slug)
    print("ready", flush=True)
    sys.stdin.readline()

    def one(shopper: UUID) -> str:
        outcome = buy(shopper)
        connections.close_all()
        return outcome

    with ThreadPoolExecutor(THREADS) as pool:
        for outcome in pool.map(one, shoppers):
            print(outcome)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
