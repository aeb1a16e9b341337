"""What an order's timeline says, in the language of whoever reads it.

A line is kept twice: as the English text that staff read, and as a text that is translated with the values in it.
Amounts are kept as amounts, so that each language writes them its own way.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from shop.models import OrderEvent
from shop.templatetags.shop import money

#: Values of a text by name: other texts, translated where they are known, and what `amount` makes.
Values = Mapping[str, str | Mapping[str, str]]


def amount(value: Decimal, currency: str) -> dict[str, str]:
    """A value that each language writes its own way."""
    return {"amount": str(value), "currency": currency}


def english(text: str, values: Values) -> str:
    """A text for staff, whoever is at it."""
    with translation.override(settings.LANGUAGE_CODE):
        return _said(text, values)


def told(event: OrderEvent) -> str:
    """A line in the language of the page."""
    return _said(event.text or event.message, event.values)


def _said(text: str, values: Mapping[str, Any]) -> str:
    if not values:
        return gettext(text)
    return gettext(text) % {name: _written(value) for name, value in values.items()}


def _written(value: str | Mapping[str, str]) -> str:
    if isinstance(value, str):
        return gettext(value)
    return money(Decimal(value["amount"]), value["currency"])
