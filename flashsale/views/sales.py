"""Pages of sales: the list, and one sale with what a shopper may do there."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from flashsale import purchases, shoppers
from flashsale.cookies import live_admission, ticket_of
from flashsale.models import Sale
from flashsale.sales import Phase
from flashsale.showing import show_cards, show_purchase, show_sale, steps, units_of

#: Sales in the list; the oldest are left out.
MOST_SALES = 50


@require_safe
def sale_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    shown = Sale.objects.exclude(status=Sale.Status.DRAFT).filter(is_rehearsal=False)
    newest = list(shown.order_by("-opens_at")[:MOST_SALES])
    cards = show_cards(newest[::-1], now=now)
    cards.sort(key=lambda card: not card.has_line)  # the occasion before the shelf
    running = (Phase.LOBBY, Phase.OPEN, Phase.PAUSED, Phase.SOLD_OUT)
    return render(
        request,
        "flashsale/sales.html",
        {
            "running": [card for card in cards if card.phase in running],
            "upcoming": [card for card in cards if card.phase is Phase.SCHEDULED],
            "past": [card for card in reversed(cards) if card.phase is Phase.ENDED],
            "server_now": now,
        },
    )


@require_safe
def sale_detail(request: HttpRequest, slug: str) -> HttpResponse:
    sale = get_object_or_404(Sale.objects.exclude(status=Sale.Status.DRAFT), slug=slug)
    now = timezone.now()
    view = show_sale(sale, now=now)
    shopper = shoppers.identify(request)
    own = [show_purchase(purchase) for purchase in purchases.of_shopper(sale, shopper=shopper)]
    has_units_left = units_of(own) < view.limit
    admission_ends = live_admission(request, view.info, shopper, now) if has_units_left else None
    return render(
        request,
        "flashsale/sale.html",
        {
            "sale": view,
            "items": view.items,
            "ticket": ticket_of(request, view.info, shopper) is not None,
            "has_admission": admission_ends is not None,
            "admission_expires_at": admission_ends,
            "may_buy": view.phase is Phase.OPEN
            and (admission_ends is not None or not view.info.has_line)
            and has_units_left,
            "attempt": uuid.uuid4(),
            "own_purchases": own,
            "steps": steps("Choose", has_line=view.info.has_line),
            "server_now": now,
        },
    )
