"""The price of a sale: what stood before it, and that it is one price from the page to the charge."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from flashsale import buying, drain, gate, price_history, purchases, sales
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo
from shop.models import PriceRecord, Variant
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


def sold_for(sale: SaleInfo, price: str) -> Variant:
    Sale.objects.get(pk=sale.id).items.update(price=Decimal(price))
    return Variant.objects.get(sku=sale.items[0].sku)


def costs_since(variant: Variant, *, days: float, price: str) -> None:
    moment = timezone.now() - timedelta(days=days)
    PriceRecord.objects.create(variant=variant, price=Decimal(price), valid_from=moment)


def test_the_lowest_price_before_a_sale_is_that_of_the_shop_and_of_earlier_sales(
    client: Client,
) -> None:
    sale = make_sale()
    variant = sold_for(sale, "20.00")
    Variant.objects.filter(pk=variant.pk).update(price=Decimal("60.00"))
    variant.price_records.all().delete()
    costs_since(variant, days=60, price="50.00")
    costs_since(variant, days=5, price="60.00")
    row = Sale.objects.get(pk=sale.id)
    assert price_history.lowest_before(row) == {variant.pk: Decimal("50.00")}
    assert "Lowest price of the 30 days before: €50.00" in client.get(row.get_absolute_url()).text
    for days, price, status in (
        (40, "30.00", "ended"),
        (10, "40.00", "ended"),
        (9, "1.00", "draft"),
    ):
        ended = row.opens_at - timedelta(days=days)
        other = Sale.objects.create(
            name="Earlier",
            slug=f"earlier-{days}",
            status=status,
            lobby_opens_at=ended - timedelta(hours=2),
            opens_at=ended - timedelta(hours=1),
            closes_at=ended,
        )
        other.items.create(variant=variant, price=Decimal(price), units=1)
    assert price_history.lowest_before(row) == {variant.pk: Decimal("40.00")}


# Failure 20: the second of the start and of the end


def click(sale: SaleInfo, **when: Any) -> Accepted | Refused:
    return buying.buy(
        sale=sale,
        shopper=make_user().shopper_id,
        item=sale.items[0].id,
        quantity=1,
        attempt="",
        **when,
    )


def test_a_click_in_the_last_moment_is_charged_what_the_page_showed() -> None:
    sale = make_sale()
    shown = sale.items[0].price
    gate.sync(sale, now=timezone.now())
    result = click(sale, now=sale.closes_at - timedelta(milliseconds=1))
    assert isinstance(result, Accepted)
    Sale.objects.filter(pk=sale.id).update(closes_at=timezone.now())
    drain.drain(sales.describe(Sale.objects.get(pk=sale.id)), consumer="late")
    Variant.objects.filter(sku=sale.items[0].sku).update(price=shown + 5)
    purchase = Purchase.objects.select_related("item__variant", "reservation").get()
    assert purchase.unit_price == shown
    assert purchases.order_line(purchase).unit_price == shown
    # The control: the shop's own price of that moment is another.
    assert purchase.item.variant.price != shown


def test_before_the_first_moment_and_from_the_last_on_there_is_no_sale_price_to_be_had() -> None:
    sale = make_sale()
    gate.sync(sale, now=timezone.now())
    for moment in (sale.opens_at - timedelta(milliseconds=1), sale.closes_at):
        assert click(sale, now=moment) == Refused(Refusal.NOT_OPEN)
    assert not Purchase.objects.exists()
