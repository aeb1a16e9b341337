"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop import carts


def shop(request: HttpRequest) -> dict[str, Any]:
    """`cart_count` asks the database only when a template shows it, which a `shared_page` must not (`shop.pages`)."""
    return {
        "shop_name": settings.SHOP_NAME,
        "currency": settings.CURRENCY,
        "demo": settings.DEMO,
        "site_url": settings.SITE_URL,
        "shared_page": getattr(request, "is_shared_page", False),
        "has_messages": getattr(request, "has_messages", True),
        "cart_count": SimpleLazyObject(lambda: carts.count(request=request)),
    }
