"""Taxes: what a country asks of each class of goods, and the table that a merchant may start from.

Delivery is taxed at the country's standard rate. A country without rates is not taxed.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from shop.models import TaxClass, TaxRate

#: Rates as they stood on the day that each line names; a merchant looks before selling.
TABLE = Path(__file__).parent / "data" / "tax_rates.csv"
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CountryTax:
    """A country's rates in percent, by tax class. Without a name there is no tax."""

    name: str = ""
    is_included: bool = True
    percents: Mapping[str, Decimal] = field(default_factory=dict)

    def percent(self, tax_class: str) -> Decimal:
        return self.percents.get(tax_class, NOTHING)

    @property
    def on_delivery(self) -> Decimal:
        return self.percent(TaxClass.STANDARD)


def of_country(country: str) -> CountryTax:
    """What is asked for goods that go to a country (ISO 3166, two letters)."""
    rates = {rate.tax_class: rate for rate in TaxRate.objects.filter(country=country)}
    if not rates:
        return CountryTax()
    first = rates.get(TaxClass.STANDARD) or next(iter(rates.values()))
    return CountryTax(
        name=first.name,
        is_included=first.is_included,
        percents={tax_class: rate.percent for tax_class, rate in rates.items()},
    )


def as_of() -> str:
    """The newest day, ISO 8601, on which a rate of the table was looked at."""
    return max(row["as_of"] for row in _table())


def load_table() -> list[TaxRate]:
    """Add the rates of every country that has none; return them. A country with a rate is the merchant's own."""
    rows = _table()
    with transaction.atomic():
        known = set(TaxRate.objects.values_list("country", flat=True))
        return TaxRate.objects.bulk_create(
            [
                TaxRate(
                    country=row["country"],
                    tax_class=row["tax_class"],
                    name=row["name"],
                    percent=Decimal(row["percent"]),
                    is_included=row["is_included"] == "yes",
                )
                for row in rows
                if row["country"] not in known
            ],
            ignore_conflicts=True,
        )


def _table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
