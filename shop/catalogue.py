"""What is for sale: lists, search, and how many of each can be bought now.

Only published products with an active variant are seen here. Availability is the main pool's; units
that are ring-fenced elsewhere do not count.
"""

from collections.abc import Iterable

from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from inventory import stock
from shop import prices
from shop.models import Category, Product, Variant

#: Signs of a search that are looked at; longer ones are not words any more.
QUERY_LENGTH = 100


def published() -> QuerySet[Product]:
    """Products that can be seen, with their active variants and pictures; the newest first."""
    active = Variant.objects.filter(is_active=True)
    return (
        Product.objects.filter(Exists(active.filter(product=OuterRef("pk"))), is_published=True)
        .select_related("category")
        .prefetch_related(Prefetch("variants", queryset=active), "images")
    )


def search(*, query: str) -> QuerySet[Product]:
    """Products whose words match, best first: web search syntax, or part of a name or SKU.

    An empty query finds everything.
    """
    query = query.replace("\x00", "")[:QUERY_LENGTH].strip()
    if not query:
        return published()
    words = SearchQuery(query, search_type="websearch", config="english")
    vector = (
        SearchVector("name", weight="A", config="english")
        + SearchVector("summary", "category__name", weight="B", config="english")
        + SearchVector("description", "details", weight="C", config="english")
    )
    named = Variant.objects.filter(
        Q(sku__iexact=query) | Q(name__icontains=query), product=OuterRef("pk"), is_active=True
    )
    return (
        published()
        .annotate(words=vector, rank=SearchRank(vector, words))
        .filter(Q(words=words) | Q(name__icontains=query) | Exists(named))
        .order_by("-rank", "-created_at", "name")
    )


def in_category(*, category: Category) -> QuerySet[Product]:
    return published().filter(category=category)


def related(*, product: Product, limit: int = 4) -> list[Product]:
    """Others of the same category, the newest first."""
    others = published().filter(category=product.category_id).exclude(pk=product.pk)[:limit]
    return count_available(others)


def count_available(products: Iterable[Product]) -> list[Product]:
    """Set what a list shows of variants: `available`, and `lowest_price` where reduced; in two queries at most."""
    listed = list(products)
    variants = [variant for product in listed for variant in product.variants.all()]
    free = stock.available(skus=[variant.sku for variant in variants])
    for variant in variants:
        variant.available = free[variant.sku]
    prices.tell_lowest(variants)
    return listed


def find_product(*, slug: str) -> Product | None:
    """A published product with its variants, pictures and availability; None when there is none."""
    return next(iter(count_available(published().filter(slug=slug))), None)
