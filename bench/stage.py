"""Shoppers, and sales for them: every round has a sale of its own, with a unit for everybody."""

from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from flashsale import gate, sales
from flashsale.models import Sale, SaleItem
from flashsale.purchases import name_purchase
from flashsale.sales import SaleInfo
from inventory import stock
from shop.models import Category, Product, User, Variant

_numbers = count(1)


def make_shoppers(number: int) -> None:
    password = make_password(None)
    User.objects.bulk_create(
        (User(email=f"{index}@bench.invalid", password=password) for index in range(number)),
        batch_size=1000,
    )


@cache
def shoppers() -> list[UUID]:
    return list(User.objects.order_by("pk").values_list("shopper_id", flat=True))


def open_sale(
    *, units: int, strategy: Sale.Strategy = Sale.Strategy.REDIS, has_line: bool = False
) -> SaleInfo:
    """A sale that is open, and whose gate is set; with a line, everybody fits inside."""
    name = f"bench-{next(_numbers)}"
    category, _ = Category.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    product = Product.objects.create(category=category, name=name, slug=name, summary=name)
    variant = Variant.objects.create(product=product, sku=name.upper(), price=Decimal("10.00"))
    stock.receive(sku=variant.sku, quantity=units)
    now = timezone.now()
    sale = Sale.objects.create(
        name=name,
        slug=name,
        lobby_opens_at=now,
        opens_at=now,
        closes_at=now + timedelta(hours=6),
        queue_mode=Sale.QueueMode.FIRST_COME if has_line else Sale.QueueMode.NONE,
        admission_cap=units,
        strategy=strategy,
        hold_seconds=3600,
    )
    SaleItem.objects.create(sale=sale, variant=variant, price=Decimal("9.00"), units=units)
    sales.schedule(sale)
    info = sales.describe(sale)
    gate.sync(info, now=timezone.now())
    return info


def end_sales() -> None:
    """Leave no earlier sale that beat would have to look after: no shop runs a hundred at once."""
    Sale.objects.update(status=Sale.Status.ENDED)


def claim_all(sale: SaleInfo, *, number: int) -> None:
    """One claim through the gate of each of the first so many shoppers."""
    for shopper in shoppers()[:number]:
        claimed = gate.claim(
            sale_id=sale.id,
            shopper=shopper,
            item=sale.items[0].id,
            quantity=1,
            purchase=name_purchase(
                sale_id=sale.id,
                shopper=shopper,
                attempt="bench",
                item=sale.items[0].id,
                quantity=1,
            ),
            now=timezone.now(),
        )
        assert claimed.answer is gate.Answer.QUEUED
