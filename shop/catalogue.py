"""What is for sale: lists, and how many of each can be bought now.

Only published products with an active variant are seen here. Availability is the main pool's; units
that are ring-fenced elsewhere do not count.
"""

from collections.abc import Iterable, Sequence

from django.db.models import Prefetch, QuerySet

from inventory import stock
from shop import prices
from shop.models import LISTED, Category, Product, Variant


def published() -> QuerySet[Product]:
    """Products that can be seen, with their active variants and pictures; the newest first."""
    return published_without_pictures().prefetch_related("images")


def published_without_pictures() -> QuerySet[Product]:
    """The same for whom pictures are nothing, such as a program."""
    active = Variant.objects.filter(is_active=True)
    return (
        Product.objects.filter(LISTED)
        .defer("search")
        .select_related("category")
        .prefetch_related(Prefetch("variants", queryset=active))
        .order_by("-created_at", "-id")
    )


def in_category(*, category: Category) -> QuerySet[Product]:
    return published().filter(category=category)


def related(*, product: Product, limit: int = 4) -> list[Product]:
    """Others of the same category, the newest first."""
    others = published().filter(category=product.category_id).exclude(pk=product.pk)[:limit]
    return count_available(others)


def by_slugs(*, slugs: Sequence[str]) -> list[Product]:
    """Those that are still seen, in the order in which they were named."""
    found = {product.slug: product for product in published().filter(slug__in=slugs)}
    return count_available(found[slug] for slug in slugs if slug in found)


def count_available(products: Iterable[Product]) -> list[Product]:
    """Set what a list shows of variants: `available`, and `lowest_price` where reduced; in two queries at most."""
    listed = list(products)
    if not listed:
        return []
    variants = [variant for product in listed for variant in product.variants.all()]
    free = stock.available(skus=[variant.sku for variant in variants])
    for variant in variants:
        variant.available = free[variant.sku]
    prices.tell_lowest(variants)
    return listed


def find_product(*, slug: str) -> Product | None:
    """A published product with its variants, pictures and availability; None when there is none."""
    return next(iter(count_available(published().filter(slug=slug))), None)
