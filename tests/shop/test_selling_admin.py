"""Delivery methods, taxes and codes in the admin."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from shop import accounts
from shop.models import DiscountCode, DiscountUse, ShippingMethod, TaxRate
from tests.factories import make_user
from tests.shop.ordering import make_order
from tests.shop.selling import make_code, make_method, make_tax

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_factor_is_enough(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.fixture
def client() -> Client:
    return signed_in("Merchants")


def signed_in(group: str) -> Client:
    accounts.ensure_groups()
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def shown(page: Any) -> set[str]:
    return {str(row) for row in page.context["cl"].result_list}


def code_form(**changes: str) -> dict[str, str]:
    return {
        "code": "new-one",
        "kind": "percent",
        "value": "10",
        "is_active": "on",
        "min_subtotal": "0",
    } | changes


def test_a_merchant_defines_a_method_with_its_rates(client: Client) -> None:
    form = {
        "name": "Express",
        "countries": ["DE", "NL"],
        "min_days": "1",
        "max_days": "2",
        "position": "0",
        "is_active": "on",
        "rates-TOTAL_FORMS": "1",
        "rates-INITIAL_FORMS": "0",
        "rates-0-min_subtotal": "0",
        "rates-0-price": "9.90",
    }
    url = reverse("admin:shop_shippingmethod_add")
    wrong = client.post(url, form | {"min_days": "5"})
    assert "At least cannot be more days than at most." in wrong.content.decode()
    assert client.post(url, form).status_code == 302
    method = ShippingMethod.objects.get()
    assert [rate.price for rate in method.rates.all()] == [Decimal("9.90")]
    assert "DE, NL" in client.get(reverse("admin:shop_shippingmethod_changelist")).content.decode()


def test_a_merchant_defines_a_code_and_is_told_what_is_wrong_with_one(client: Client) -> None:
    url = reverse("admin:shop_discountcode_add")
    wrong = client.post(url, code_form(value="0", code="not this"))
    assert set(wrong.context["adminform"].form.errors) == {"code", "value"}
    assert client.post(url, code_form()).status_code == 302
    assert DiscountCode.objects.get().code == "NEW-ONE"
    twice = client.post(url, code_form(code="New-One"))
    assert "There is a code of this name already." in twice.content.decode()


def test_codes_are_searched_filtered_and_show_their_uses(client: Client) -> None:
    now = timezone.now()
    make_code("COUNTS", max_uses=5, uses=3)
    make_code("ENDLESS")
    make_code("LATER", starts_at=now + timedelta(hours=1))
    make_code("OVER", ends_at=now)
    make_code("USED-UP", max_uses=1, uses=1)
    url = reverse("admin:shop_discountcode_changelist")
    assert "3 of 5" in client.get(url).content.decode()
    assert shown(client.get(f"{url}?q=lat")) == {"LATER"}
    for value, codes in {
        "yes": {"COUNTS", "ENDLESS"},
        "later": {"LATER"},
        "no": {"OVER", "USED-UP"},
    }.items():
        assert shown(client.get(f"{url}?counts={value}")) == codes


def test_a_code_with_orders_shows_them_is_switched_off_and_not_deleted(client: Client) -> None:
    code, order = make_code(), make_order()
    DiscountUse.objects.create(code=code, order=order, email=order.email)
    DiscountCode.objects.update(uses=1)
    other = DiscountUse.objects.create(code=make_code("OTHER"), order=make_order(), email="x@y.z")
    page = client.get(reverse("admin:shop_discountcode_change", args=[code.pk])).content.decode()
    url = f"{reverse('admin:shop_discountuse_changelist')}?code__id__exact={code.pk}"
    assert f'href="{url}"' in page
    assert "used_by-" not in page
    orders = client.get(url).content.decode()
    assert order.reference in orders
    assert other.order.reference not in orders
    assert client.get(reverse("admin:shop_discountuse_add")).status_code == 403
    other.code.used_by.all().delete()
    other.code.delete()
    assert client.get(reverse("admin:shop_discountcode_delete", args=[code.pk])).status_code == 403
    client.post(
        reverse("admin:shop_discountcode_changelist"),
        {"action": "switch_off", "_selected_action": [code.pk]},
    )
    assert not DiscountCode.objects.get().is_active
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(code.pk), "Switched off.")


def test_taxes_are_listed_and_one_country_has_one_rate_of_a_class(client: Client) -> None:
    make_tax("DE", "19")
    url = reverse("admin:shop_taxrate_changelist")
    assert "19\xa0%" in client.get(url).content.decode()
    form = {"country": "DE", "tax_class": "standard", "name": "VAT", "percent": "20"}
    again = client.post(reverse("admin:shop_taxrate_add"), form | {"is_included": "on"})
    assert "This country has a rate of this class already" in again.content.decode()
    assert TaxRate.objects.count() == 1


def test_a_country_is_switched_between_taxes_in_prices_and_on_top(client: Client) -> None:
    standard = make_tax("CA", "5", name="GST")
    reduced = make_tax("CA", "2", name="GST", tax_class="reduced")
    url = reverse("admin:shop_taxrate_change", args=[standard.pk])
    form = {"country": "CA", "tax_class": "standard", "name": "GST", "percent": "5"}
    said = client.post(url, form, follow=True).content.decode()
    assert "All taxes of Canada are added on top of prices now: 1 of its other rates" in said
    reduced.refresh_from_db()
    assert not reduced.is_included
    assert "All taxes of Canada" not in client.post(url, form, follow=True).content.decode()


@pytest.mark.parametrize("name", ["shippingmethod", "taxrate", "discountcode"])
def test_staff_look_and_do_not_change(name: str) -> None:
    make_method("Parcel", ("5.00", "0", None))
    make_tax("DE", "19")
    make_code()
    staff = signed_in("Staff")
    assert staff.get(reverse(f"admin:shop_{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"admin:shop_{name}_add")).status_code == 403
