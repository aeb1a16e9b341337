"""What tests of delivery, tax and discounts share."""

from decimal import Decimal
from typing import Any

from shop.models import DiscountCode, Product, ShippingMethod, TaxRate, Variant


def make_method(name: str, *rates: tuple[str, str, int | None], **fields: Any) -> ShippingMethod:
    """A delivery method; each rate is its price, the goods that it needs, and the weight that it carries (g)."""
    method = ShippingMethod.objects.create(name=name, **fields)
    for price, goods, weight in rates:
        method.rates.create(
            price=Decimal(price), min_subtotal=Decimal(goods), max_weight_grams=weight
        )
    return method


def make_tax(country: str, percent: str, **fields: Any) -> TaxRate:
    fields = {"name": "VAT", "percent": Decimal(percent)} | fields
    return TaxRate.objects.create(country=country, **fields)


def make_code(code: str = "HELLO", value: str = "10", **fields: Any) -> DiscountCode:
    return DiscountCode.objects.create(code=code, value=Decimal(value), **fields)


def give_tax_class(variant: Variant, tax_class: str) -> Variant:
    Product.objects.filter(pk=variant.product_id).update(tax_class=tax_class)
    variant.product.refresh_from_db()
    return variant
