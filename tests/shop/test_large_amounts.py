"""Currencies without small units have large amounts: what a form lets through has room in every column."""

from decimal import Decimal

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DataError, models, transaction
from pytest_django import Settings

from shop import documents, refund_settling, refunds
from shop.carts import MAX_LINES, MAX_QUANTITY
from shop.models import Order, Variant
from shop.money import PRICE_DIGITS, SUM_DIGITS
from tests.factories import make_variant
from tests.shop.ordering import paid_order

pytestmark = pytest.mark.django_db

DEAREST = Decimal(10) ** (PRICE_DIGITS - 2) - Decimal("0.01")
LARGEST = Decimal(10) ** (SUM_DIGITS - 2) - Decimal("0.01")
#: Not money: rates and stars.
OTHERS = {"percent", "tax_percent", "rating", "standard", "reduced"}


def test_every_column_of_money_has_room() -> None:
    digits = {
        f"{model.__name__}.{field.name}": field.max_digits
        for room in ("shop", "flashsale")
        for model in apps.get_app_config(room).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.DecimalField) and field.name not in OTHERS
    }
    assert len(digits) > 20
    assert {name: count for name, count in digits.items() if count < PRICE_DIGITS} == {}
    assert digits["Order.total"] == digits["Refund.amount"] == SUM_DIGITS
    # The fullest cart, and the largest purchase in a sale, with as much again for delivery and tax.
    assert 2 * DEAREST * MAX_LINES * MAX_QUANTITY < LARGEST
    assert 2 * DEAREST * 32767 < LARGEST


@pytest.mark.django_db(transaction=True)
def test_an_order_of_the_dearest_things_is_placed_paid_and_refunded(settings: Settings) -> None:
    settings.CURRENCY = "VND"
    variant = make_variant(price=Decimal("9999999999"), units=20)
    order = paid_order(variant, quantity=20)
    assert order.total == Decimal("199999999980")
    assert documents.invoice_of(order) is not None
    assert refunds.refund_in_full(order=order, actor="", reason="too much")
    refund_settling.settle_due()
    assert Order.objects.get().state == "refunded"
    assert order.refunds.get().state == "done"


def test_a_price_beyond_the_limit_is_a_clear_error_on_its_form() -> None:
    variant = make_variant(price=DEAREST)
    variant.full_clean()
    variant.price += Decimal("0.01")
    with pytest.raises(ValidationError) as refused:
        variant.full_clean()
    assert refused.value.message_dict == {
        "price": ["Ensure that there are no more than 12 digits in total."]
    }


def test_control_without_its_form_the_database_would_refuse_it() -> None:
    variant = make_variant()
    with pytest.raises(DataError), transaction.atomic():
        Variant.objects.filter(pk=variant.pk).update(price=DEAREST + Decimal("0.01"))
