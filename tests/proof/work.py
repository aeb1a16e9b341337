"""What a process of the shop does when it dies, one piece of work each, on rows that were made for it."""

from dataclasses import replace

from django.utils import timezone

from flashsale import buying, drain, gate, purchases, sales
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo
from inventory import reservations
from shop.models import User
from tests.proof.crash_points import Work


def do(work: Work, sale_slug: str) -> None:
    sale = sales.find(sale_slug)
    assert sale is not None
    match work:
        case "claim":
            click(sale)
        case "at once":
            click(sale, strategy="lock")
        case "batch":
            drain.drain(sale, consumer="dies")
        case "let go":
            purchases.release(_held(sale))
        case "pay":
            reservations.confirm(reservation_ids=[_held(sale).pk])
        case "expire":
            reservations.expire()
        case "sync":
            gate.sync(sale, now=timezone.now())
        case "return":
            sales.end(Sale.objects.get(pk=sale.id))


def click(sale: SaleInfo, *, strategy: str = "redis") -> buying.Accepted | buying.Refused:
    """The last shopper who signed up clicks on Buy, and once more if they hear nothing."""
    return buying.buy(
        sale=replace(sale, strategy=strategy),
        shopper=User.objects.latest("pk").shopper_id,
        item=sale.items[0].id,
        quantity=1,
        attempt="the same",
        now=timezone.now(),
    )


def _held(sale: SaleInfo) -> Purchase:
    held = Purchase.objects.filter(sale_id=sale.id, reservation__state="held")
    return held.select_related("sale", "reservation", "order").latest("claimed_at")
