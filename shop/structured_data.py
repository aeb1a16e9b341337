"""What a page shows, once more for machines: schema.org in JSON-LD. Nothing else is said here."""

from typing import Any

from django.conf import settings
from django.urls import reverse

from shop import pictures
from shop.models import Category, Product, Variant

CONTEXT = "https://schema.org"
AVAILABILITY = {True: f"{CONTEXT}/InStock", False: f"{CONTEXT}/OutOfStock"}


def absolute(path: str) -> str:
    """The address of a page or a picture for those who see it from outside."""
    return path if path.startswith(("http://", "https://")) else settings.SITE_URL + path


def shop() -> dict[str, Any]:
    """The shop, and how to search it."""
    home = absolute(reverse("shop:home"))
    return {
        "@context": CONTEXT,
        "@type": "WebSite",
        "name": settings.SHOP_NAME,
        "url": home,
        "potentialAction": {
            "@type": "SearchAction",
            "target": absolute(reverse("shop:search")) + "?q={search_term_string}",
            "query-input": "required name=search_term_string",
        },
    }


def breadcrumbs(*, category: Category, product: Product | None = None) -> dict[str, Any]:
    steps = [
        (settings.SHOP_NAME, reverse("shop:home")),
        (category.name, category.get_absolute_url()),
    ]
    if product is not None:
        steps.append((product.name, product.get_absolute_url()))
    return {
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name, "item": absolute(path)}
            for position, (name, path) in enumerate(steps, start=1)
        ],
    }


def product(*, product: Product, shown: Variant) -> dict[str, Any]:
    """A product as the page shows it: the chosen variant's price and whether it can be bought, and the stars."""
    address = absolute(product.get_absolute_url())
    data: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Product",
        "name": product.name,
        "description": product.summary,
        "sku": shown.sku,
        "category": product.category.name,
        "url": address,
        "brand": {"@type": "Brand", "name": settings.SHOP_NAME},
        "image": [
            absolute(pictures.rendition_url(file=image.file, width=pictures.WIDTHS[-1]))
            for image in product.images.all()
        ],
        "offers": {
            "@type": "Offer",
            "url": f"{address}?variant={shown.sku}",
            "price": str(shown.price),
            "priceCurrency": settings.CURRENCY,
            "availability": AVAILABILITY[shown.available > 0],
            "itemCondition": f"{CONTEXT}/NewCondition",
        },
    }
    if product.rating_count:
        data["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": f"{product.rating:.1f}",
            "reviewCount": product.rating_count,
            "bestRating": 5,
            "worstRating": 1,
        }
    return data
