"""What search engines are told: where to look, and that the line is not for them.

A crawler cannot stand in line anyway, because joining is a POST of somebody signed in. This spares both sides the
asking.
"""

from typing import Any

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps.views import index as index_view
from django.contrib.sitemaps.views import sitemap as section_view
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from flashsale.models import Sale
from shop.models import LISTED, Category, Product

#: Seconds for which caches may keep both.
KEPT_SECONDS = 3600
ROBOTS = """\
User-agent: *
Disallow: /sales/*/line/
Disallow: /purchases/
Disallow: /cart/
Disallow: /checkout/
Disallow: /personal/
Disallow: /recent/
Disallow: /search/suggestions/
Disallow: /orders/
Disallow: /account/
Disallow: /accounts/
Disallow: /admin/

Sitemap: {sitemap}
"""


class Products(Sitemap[Product]):
    """What lists show, in pages that take little to make: a sitemap may hold ten times as many."""

    limit = 5000

    def items(self) -> QuerySet[Product]:
        return Product.objects.filter(LISTED).only("slug").order_by("pk")


class Categories(Sitemap[Category]):
    def items(self) -> QuerySet[Category]:
        return Category.objects.order_by("pk")


class Sales(Sitemap[Sale]):
    """Sales that anybody may see; a rehearsal is nobody's business."""

    def items(self) -> QuerySet[Sale]:
        shown = Sale.objects.filter(is_rehearsal=False).exclude(status=Sale.Status.DRAFT)
        return shown.order_by("pk")


SITEMAPS: dict[str, type[Sitemap[Any]] | Sitemap[Any]] = {
    "products": Products,
    "categories": Categories,
    "sales": Sales,
}


@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def robots(request: HttpRequest) -> HttpResponse:
    text = ROBOTS.format(sitemap=settings.SITE_URL + reverse("sitemap"))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def sitemap(request: HttpRequest) -> HttpResponse:
    """The pages of all sections."""
    return index_view(request, SITEMAPS, sitemap_url_name="sitemap-section")


@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def sitemap_section(request: HttpRequest, section: str) -> HttpResponse:
    return section_view(request, SITEMAPS, section=section)
