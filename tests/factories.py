"""Plain functions that make rows for tests; every one takes what matters and chooses the rest."""

from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from allauth.account.models import EmailAddress
from django.utils import timezone

from flashsale import sales
from flashsale.models import Sale, SaleItem
from flashsale.sales import SaleInfo
from inventory import stock
from shop.models import Category, Product, User, Variant

_numbers = count(1)


def make_user(**fields: Any) -> User:
    number = next(_numbers)
    fields = {"email": f"shopper-{number}@example.com", "password": "demo"} | fields
    return User.objects.create_user(**fields)


def prove_address(user: User) -> None:
    """The account has shown that its address is its own, by the link in a mail."""
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def make_variant(*, units: int = 0, **fields: Any) -> Variant:
    """A product with one variant and `units` in the main pool."""
    number = next(_numbers)
    category, _ = Category.objects.get_or_create(slug="lamps", defaults={"name": "Lamps"})
    product = Product.objects.create(
        category=category,
        name=f"Lamp {number}",
        slug=f"lamp-{number}",
        summary="Gives light.",
    )
    fields = {"sku": f"LAMP-{number}", "price": Decimal("100.00")} | fields
    variant = Variant.objects.create(product=product, **fields)
    stock.receive(sku=variant.sku, quantity=units)
    return variant


def make_draft(*, units: int = 3, items: int = 1, **fields: Any) -> Sale:
    """A draft that would be open now, without a line, one unit a shopper."""
    number = next(_numbers)
    now = timezone.now()
    sale = Sale.objects.create(
        **{
            "name": f"Sale {number}",
            "slug": f"sale-{number}",
            "lobby_opens_at": now - timedelta(hours=2),
            "opens_at": now - timedelta(hours=1),
            "closes_at": now + timedelta(hours=1),
            "queue_mode": Sale.QueueMode.NONE,
            "hold_seconds": 60,
        }
        | fields
    )
    for _ in range(items):
        variant = make_variant(units=units)
        SaleItem.objects.create(sale=sale, variant=variant, price=Decimal("60.00"), units=units)
    return sale


def make_sale(*, units: int = 3, items: int = 1, **fields: Any) -> SaleInfo:
    """A scheduled sale, by default open and without a line."""
    sale = make_draft(units=units, items=items, **fields)
    sales.schedule(sale)
    return sales.describe(sale)
