"""The demo's sales: the lamp drop that opens in a minute, a small shelf that is always open, one that is over, and
one that is still to come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from flashsale import sales, steering
from flashsale.models import Sale, SaleItem
from inventory import stock
from shop.models import Variant

OPEN_SHELF = "open-shelf"
SPRING_FIRING = "spring-firing"
NEXT_KILN = "next-kiln"
#: Seconds from the lobby to the opening of the lamp drop.
LOBBY_SECONDS = 60


class NoSuchVariantError(Exception):
    """The demo catalogue lacks a variant that a demo sale sells; the message says which."""


@dataclass(frozen=True, slots=True)
class Offer:
    sku: str
    price: str
    units: int


LAMP_DROP = (Offer("FIRST-LIGHT-EMBER", "99.00", 100),)
SHELF = (Offer("TIDE-MUG-INDIGO", "16.00", 12), Offer("TIDE-MUG-OAT", "16.00", 8))
FIRING = (Offer("LONG-NECK-SAGE", "39.00", 12),)
KILN = (Offer("HEARTH-POT-OAT", "48.00", 12), Offer("LOW-SUN-CHALK", "89.00", 10))
OFFERS = (*LAMP_DROP, *SHELF, *FIRING, *KILN)


def seed(*, fresh: bool, now: datetime) -> list[Sale]:
    """Make the demo sales that are missing, and return what was made. Repeating it changes nothing.

    Args:
        fresh: put the lamp drop of an earlier run away, and make one that opens in a minute.

    Raises:
        NoSuchVariantError: the catalogue was not seeded.
    """
    if fresh:
        _put_away(settings.DEMO_SALE)
    made = [_lamp_drop(now), _open_shelf(now), _spring_firing(now), _next_kiln(now)]
    return [sale for sale in made if sale is not None]


def _lamp_drop(now: datetime) -> Sale | None:
    opens_at = now + timedelta(seconds=LOBBY_SECONDS)
    return _schedule(
        LAMP_DROP,
        slug=settings.DEMO_SALE,
        name="The First Light drop",
        tagline="A hundred lamps in ember, numbered on the foot.",
        description=(
            "One hundred lamps, one for each of you, at the price of the first morning. Come to the lobby "
            "before it opens: everybody who is there has the same chance, however early they came. A lamp "
            "that is not paid within a minute and a half goes to the next in line."
        ),
        lobby_opens_at=now,
        opens_at=opens_at,
        closes_at=opens_at + timedelta(minutes=30),
        queue_mode=Sale.QueueMode.DRAW,
        limit_per_shopper=1,
        hold_seconds=90,
        admission_cap=40,
        admission_seconds=60,
    )


def _open_shelf(now: datetime) -> Sale | None:
    return _schedule(
        SHELF,
        slug=OPEN_SHELF,
        name="The open shelf",
        tagline="Mugs of last year's glaze, while they last.",
        description="No line and no hurry: what is on the shelf can be bought until it is empty.",
        lobby_opens_at=now,
        opens_at=now,
        closes_at=now + timedelta(days=365),
        queue_mode=Sale.QueueMode.NONE,
        limit_per_shopper=2,
        hold_seconds=600,
        admission_cap=100,
        admission_seconds=180,
    )


def _spring_firing(now: datetime) -> Sale | None:
    """A sale that is over: it is run as it would be now, ended, and dated back."""
    sale = _schedule(
        FIRING,
        slug=SPRING_FIRING,
        name="The spring firing",
        tagline="Long Neck vases from the first kiln of the year.",
        description="Twelve vases in sage, an evening long. What was left is in the shop.",
        lobby_opens_at=now,
        opens_at=now,
        closes_at=now + timedelta(hours=3),
        queue_mode=Sale.QueueMode.FIRST_COME,
        limit_per_shopper=1,
        hold_seconds=600,
        admission_cap=40,
        admission_seconds=180,
    )
    if sale is None:
        return None
    steering.end(sale)
    opened = now - timedelta(days=20)
    Sale.objects.filter(pk=sale.pk).update(
        lobby_opens_at=opened - timedelta(hours=1),
        opens_at=opened,
        closes_at=opened + timedelta(hours=3),
    )
    sale.refresh_from_db()
    return sale


def _next_kiln(now: datetime) -> Sale | None:
    opens_at = timezone.localtime(now + timedelta(days=3)).replace(
        hour=18, minute=0, second=0, microsecond=0
    )
    return _schedule(
        KILN,
        slug=NEXT_KILN,
        name="The next kiln",
        tagline="Teapots in oat and pendants in chalk, straight from the workshop.",
        description=(
            "What comes out of the kiln on the day is sold on the day. Come an hour early: everybody who is in "
            "the lobby when it opens has the same chance."
        ),
        lobby_opens_at=opens_at - timedelta(hours=1),
        opens_at=opens_at,
        closes_at=opens_at + timedelta(hours=6),
        queue_mode=Sale.QueueMode.DRAW,
        limit_per_shopper=2,
        hold_seconds=600,
        admission_cap=40,
        admission_seconds=180,
    )


def _schedule(offers: tuple[Offer, ...], *, slug: str, **fields: object) -> Sale | None:
    with transaction.atomic():
        sale, is_new = Sale.objects.get_or_create(slug=slug, defaults=fields)
        if not is_new:
            return None
        variants = Variant.objects.in_bulk([offer.sku for offer in offers], field_name="sku")
        for position, offer in enumerate(offers):
            if offer.sku not in variants:
                raise NoSuchVariantError(f"The catalogue has no variant {offer.sku}.")
            SaleItem.objects.create(
                sale=sale,
                variant=variants[offer.sku],
                price=Decimal(offer.price),
                units=offer.units,
                position=position,
            )
            missing = offer.units - stock.available(skus=[offer.sku])[offer.sku]
            if missing > 0:
                stock.receive(sku=offer.sku, quantity=missing, reason="for the demo sale")
        sales.schedule(sale)
    steering.tell(sale)
    return sale


def _put_away(slug: str) -> None:
    """End the sale of that name and free its name; what was bought in it stays."""
    sale = Sale.objects.filter(slug=slug).first()
    if sale is None:
        return
    if sale.status in (Sale.Status.SCHEDULED, Sale.Status.PAUSED):
        steering.end(sale)
    opened = timezone.localtime(sale.opens_at)
    Sale.objects.filter(pk=sale.pk).update(
        slug=f"{slug[:30]}-{opened:%Y%m%d-%H%M%S}", name=f"{sale.name}, {opened:%d %B %H:%M}"
    )
