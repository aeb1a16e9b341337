"""Money, pictures and what machines read, in templates."""

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.numbers import format_currency, format_decimal
from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, to_locale

from shop import pictures, structured_data
from shop.models import ProductImage

register = template.Library()
#: So that no text can end the element that it stands in.
ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


@register.filter
def money(amount: Decimal | str, currency: str = "") -> str:
    """`49` as `€49.00`, as the language of the page writes it. What mails are told is text: JSON has no decimals."""
    locale = to_locale(get_language() or settings.LANGUAGE_CODE)
    # Nothing is kept under the same key as minus nothing, which is written otherwise.
    return _written(Decimal(amount) + 0, currency or settings.CURRENCY, locale)


@lru_cache(maxsize=4096)
def _written(amount: Decimal, currency: str, locale: str) -> str:
    """Kept, because the same prices are written again and again, and writing one takes as long as a link."""
    return format_currency(amount, currency, locale=locale)


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


@register.filter
def absolute(path: str) -> str:
    """The address of a page or a picture for those who see it from outside."""
    return structured_data.absolute(path)


@register.simple_tag
@lru_cache
def icon(name: str, css_class: str = "") -> SafeString:
    """A drawing of `img/icons.svg`, and the space before what follows.

    Kept, because a page of products shows the same few dozens of times.
    """
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg> ',
        f"icon {css_class}".rstrip(),
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def json_ld(data: dict[str, Any]) -> SafeString:
    """Data for machines; a browser does not run it, and the strict policy lets it be."""
    said = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(f'<script type="application/ld+json">{said}</script>')  # noqa: S308 -- escaped above
