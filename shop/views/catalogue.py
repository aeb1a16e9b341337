"""Looking around: home, categories, search, products.

These pages are the same bytes for everybody (`shop.pages`): nothing here may ask who is looking.
"""

import re
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from shop import catalogue, delivery, facets, pages, search, structured_data
from shop.forms import AddToCartForm
from shop.models import Category, Variant
from shop.wanted import parse

PAGE_NUMBER = re.compile("[1-9][0-9]{0,3}")
#: Products on the home page, of those that are newest and of those before them.
NEWEST, FEATURED = 4, 8
#: Products shown to somebody who found nothing.
CONSOLATION = 4


@require_safe
@pages.shared
def home(request: HttpRequest) -> HttpResponse:
    products = catalogue.count_available(catalogue.published()[: NEWEST + FEATURED])
    context = {
        "categories": list(Category.objects.all()),
        "newest": products[:NEWEST],
        "featured": products[NEWEST:],
        "structured": [structured_data.shop()],
    }
    pages.keep(request, address="")
    return render(request, "shop/home.html", context)


@require_safe
@pages.shared
def find(request: HttpRequest) -> HttpResponse:
    """Everything, or what matches; from what was misspelt one is led on to the nearest known words."""
    query = search.clean(request.GET.get("q", ""))
    wanted = parse(request.GET, query=query)
    found = search.matching(query=query)
    listing = facets.show(products=found, wanted=wanted, page=_page_number(request))
    typed = search.clean(request.GET.get("typed", ""))
    is_lost = query and not listing.total and not typed and not wanted.narrows
    if is_lost and (corrected := search.correct(query=query)):
        return redirect(f"{request.path}?{urlencode({'q': corrected, 'typed': query})}")
    context = {
        "query": query,
        "typed": typed,
        "listing": listing,
        "categories": [] if listing.total else list(Category.objects.all()),
        "others": [] if listing.total else _consolation(),
    }
    if not query and not wanted.narrows:
        pages.keep(request, address=listing.address)
    return render(request, "shop/search.html", context)


@require_safe
@pages.shared
def category(request: HttpRequest, slug: str) -> HttpResponse:
    categories = list(Category.objects.all())
    chosen = next((found for found in categories if found.slug == slug), None)
    if chosen is None:
        raise Http404
    wanted = parse(request.GET)
    listing = facets.show(
        products=catalogue.in_category(category=chosen), wanted=wanted, page=_page_number(request)
    )
    context = {
        "category": chosen,
        "categories": categories,
        "listing": listing,
        "structured": [structured_data.breadcrumbs(category=chosen)],
    }
    if not wanted.narrows:
        pages.keep(request, address=listing.address)
    return render(request, "shop/category.html", context)


@require_safe
@pages.shared
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
        "delivery": delivery.estimate(
            today=timezone.localdate(),
            country=settings.COUNTRY,
            weight_grams=variant.weight_grams,
            subtotal=variant.price,
        ),
        "form": AddToCartForm(initial={"sku": variant.sku}),
        "structured": [
            structured_data.product(product=found, shown=variant),
            structured_data.breadcrumbs(category=found.category, product=found),
        ],
    }
    is_asked_for = request.GET.get("variant") == variant.sku
    pages.keep(request, address=urlencode({"variant": variant.sku}) if is_asked_for else "")
    return render(request, "shop/product.html", context)


def _page_number(request: HttpRequest) -> int:
    wanted = request.GET.get("page", "")
    return int(wanted) if PAGE_NUMBER.fullmatch(wanted) else 1


def _consolation() -> list[object]:
    return list(catalogue.count_available(catalogue.published()[:CONSOLATION]))


def _chosen(variants: list[Variant], sku: str) -> Variant:
    """The variant that was asked for, else the first that can be bought, else the first."""
    asked = (variant for variant in variants if variant.sku == sku)
    free = (variant for variant in variants if variant.available)
    return next(asked, next(free, variants[0]))
