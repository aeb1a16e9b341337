"""Pages that only tell: about the shop, delivery, terms, privacy, contact; and every component on one page."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from shop import pages

PAGES = ("about", "delivery", "terms", "privacy", "contact")


@require_safe
@pages.shared
def page(request: HttpRequest, name: str) -> HttpResponse:
    pages.keep(request, address="")
    context = {
        "return_days": settings.RETURN_DAYS,
        "hold_minutes": settings.ORDER_HOLD_SECONDS // 60,
        "shop_address": settings.SHOP_ADDRESS,
        "shop_email": settings.DEFAULT_FROM_EMAIL.rpartition("<")[2].rstrip(">"),
    }
    return render(request, f"shop/pages/{name}.html", context)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component with its states, for whoever works on them; a shop that sells has no such page."""
    if settings.PRODUCTION:
        raise Http404
    return render(request, "styleguide.html", {"tiers": ("in_stock", "low", "sold_out")})


urlpatterns = [
    *(path(f"{name}/", page, {"name": name}, name=f"page-{name}") for name in PAGES),
    path("styleguide/", styleguide, name="styleguide"),
]
