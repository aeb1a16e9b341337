"""Looking around: home, categories, search, products, and the optional panels of a product's page."""

import re

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet, Window
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from shop import catalogue
from shop.forms import AddToCartForm
from shop.models import Category, Product, Variant

#: Products on a page of a list: three, four and six columns come out even.
PER_PAGE = 24
PAGE_NUMBER = re.compile("[1-9][0-9]{0,3}")
#: Products on the home page, of those that are newest and of those before them.
NEWEST, FEATURED = 4, 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    products = catalogue.count_available(catalogue.published()[: NEWEST + FEATURED])
    context = {
        "categories": list(Category.objects.all()),
        "newest": products[:NEWEST],
        "featured": products[NEWEST:],
    }
    return render(request, "shop/home.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    page = _page(request, catalogue.search(query=query))
    context = {"query": query, "page": page, "paginator": page.paginator}
    return render(request, "shop/search.html", context)


@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    categories = list(Category.objects.all())
    chosen = next((found for found in categories if found.slug == slug), None)
    if chosen is None:
        raise Http404
    context = {
        "category": chosen,
        "categories": categories,
        "page": _page(request, catalogue.in_category(category=chosen)),
    }
    return render(request, "shop/category.html", context)


@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = catalogue.find_product(slug=slug)
    if found is None:
        raise Http404
    variants = list(found.variants.all())
    variant = _chosen(variants, request.GET.get("variant", ""))
    images = sorted(found.images.all(), key=lambda image: image.variant_id != variant.pk)
    context = {
        "product": found,
        "variant": variant,
        "variants": variants,
        "images": images,
        "form": AddToCartForm(initial={"sku": variant.sku}),
    }
    return render(request, "shop/product.html", context)


@require_safe
def related(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(catalogue.published().prefetch_related(None), slug=slug)
    context = {"products": catalogue.related(product=found)}
    return render(request, "shop/fragments/related.html", context)


def _page(request: HttpRequest, products: QuerySet[Product]) -> "Page[Product]":
    """The page asked for, or the nearest there is. The rows bring their total: one query fewer."""
    paginator = Paginator(products, PER_PAGE)
    wanted = request.GET.get("page", "1")
    if PAGE_NUMBER.fullmatch(wanted):
        first = (int(wanted) - 1) * PER_PAGE
        rows = products.annotate(total=Window(Count("pk")))[first : first + PER_PAGE]
        if listed := catalogue.count_available(rows):
            paginator.count = rows[0].total
            return Page(listed, int(wanted), paginator)
    page = paginator.get_page(wanted)
    page.object_list = catalogue.count_available(page.object_list)
    return page


def _chosen(variants: list[Variant], sku: str) -> Variant:
    """The variant that was asked for, else the first that can be bought, else the first."""
    asked = (variant for variant in variants if variant.sku == sku)
    free = (variant for variant in variants if variant.available)
    return next(asked, next(free, variants[0]))
