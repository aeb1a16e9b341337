"""The public page of a draw, and the script with which anybody checks it."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from flashsale import draws, line, line_document, shoppers
from flashsale.cookies import ticket_of
from flashsale.sales import SaleInfo
from flashsale.views.finding import sale_or_404


@require_safe
def draw(request: HttpRequest, slug: str) -> HttpResponse:
    sale, now = sale_or_404(slug), timezone.now()
    shown = _draw_or_404(sale)
    shopper = shoppers.identify(request)
    ticket = ticket_of(request, sale, shopper)
    place = None
    if shopper is not None and ticket is not None and shown.entrants is not None:
        document = line_document.read(sale, now=now)
        place = line.position(
            sale, ticket=ticket, shopper=shopper, document=document, now=now
        ).place
    return render(
        request,
        "flashsale/draw.html",
        {
            "sale": sale,
            "draw": shown,
            "script": draws.script(),
            "shopper": shopper,
            "ticket": ticket,
            "place": place,
        },
    )


@require_safe
@cache_control(public=True, max_age=300)
def script(request: HttpRequest, slug: str) -> HttpResponse:
    _draw_or_404(sale_or_404(slug))
    return HttpResponse(draws.script(), content_type="text/plain; charset=utf-8")


def _draw_or_404(sale: SaleInfo) -> draws.Draw:
    try:
        return draws.published(sale, now=timezone.now())
    except draws.NoDraw as error:
        raise Http404("This sale has no draw.") from error
