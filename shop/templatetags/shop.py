"""Money and pictures in templates."""

from decimal import Decimal

from babel.numbers import format_currency, format_decimal
from django import template
from django.conf import settings
from django.utils.translation import get_language, to_locale

from shop import pictures
from shop.models import ProductImage

register = template.Library()


@register.filter
def money(amount: Decimal, currency: str = "") -> str:
    """`49` as `€49.00`, as the language of the page writes it."""
    locale = to_locale(get_language() or settings.LANGUAGE_CODE)
    return format_currency(amount, currency or settings.CURRENCY, locale=locale)


@register.filter
def percent(rate: Decimal) -> str:
    """`19.00` as `19 %`, as the language of the page writes it."""
    locale = to_locale(get_language() or settings.LANGUAGE_CODE)
    return f"{format_decimal(rate, locale=locale)}\u00a0%"


@register.filter
def picture_url(image: ProductImage, width: int) -> str:
    return pictures.rendition_url(file=image.file, width=width)


@register.filter
def srcset(image: ProductImage) -> str:
    """The widths of a picture for the browser to choose from."""
    return ", ".join(
        f"{pictures.rendition_url(file=image.file, width=width)} {width}w"
        for width in pictures.WIDTHS
    )
