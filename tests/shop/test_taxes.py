"""Tax rates, and the table that a merchant may start from."""

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from shop import taxes
from shop.models import TaxRate
from tests.shop.selling import make_tax

pytestmark = pytest.mark.django_db


def test_a_country_without_rates_is_not_taxed() -> None:
    nothing = taxes.of_country("US")
    assert (nothing.name, nothing.is_included) == ("", True)
    assert nothing.percent("standard") == nothing.on_delivery == 0


def test_each_class_has_its_rate_and_what_has_none_is_not_taxed() -> None:
    make_tax("DE", "19")
    make_tax("DE", "7", tax_class="reduced")
    german = taxes.of_country("DE")
    assert [german.percent(name) for name in ("standard", "reduced", "zero")] == [19, 7, 0]
    assert (german.name, german.is_included) == ("VAT", True)


def test_the_table_is_loaded_and_can_be_loaded_again() -> None:
    said = StringIO()
    call_command("load_tax_rates", stdout=said)
    count = TaxRate.objects.count()
    countries = TaxRate.objects.values("country").distinct().count()
    assert f"Added {count} rates of {countries} countries" in said.getvalue()
    assert TaxRate.objects.get(country="DE", tax_class="standard").percent == 19
    canada = TaxRate.objects.get(country="CA")
    assert (canada.name, canada.percent, canada.is_included) == ("GST", Decimal(5), False)
    call_command("load_tax_rates", stdout=said)
    assert TaxRate.objects.count() == count


def test_what_a_merchant_has_entered_is_never_overwritten_or_mixed() -> None:
    own = make_tax("DE", "16", is_included=False)
    taxes.load_table()
    own.refresh_from_db()
    assert (own.percent, own.is_included) == (Decimal(16), False)
    assert TaxRate.objects.filter(country="DE").count() == 1


def test_every_rate_of_the_table_is_valid_and_every_country_has_a_standard_rate() -> None:
    taxes.load_table()
    for rate in TaxRate.objects.all():
        rate.full_clean()
    with_standard = TaxRate.objects.filter(tax_class="standard").values("country")
    assert not TaxRate.objects.exclude(country__in=with_standard).exists()


def test_a_country_has_its_taxes_in_its_prices_or_on_top() -> None:
    make_tax("CA", "5", is_included=False)
    make_tax("DE", "19", is_included=False)
    switched = TaxRate(country="CA", tax_class="reduced", name="GST", percent=2, is_included=True)
    switched.full_clean()
    switched.save()
    assert set(TaxRate.objects.filter(country="CA").values_list("is_included", flat=True)) == {True}
    assert not TaxRate.objects.get(country="DE").is_included
