"""Pages of a purchase: the click on Buy, what became of it, letting go, and the way to the checkout."""

from contextlib import suppress
from functools import partial
from uuid import UUID

import redis
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from flashsale import admissions, buying, purchases, sales, shoppers
from flashsale.buying import Accepted, Refusal
from flashsale.cookies import admission_cookie, admission_of, keep_admission
from flashsale.limits import BUY, count
from flashsale.models import Purchase, Sale
from flashsale.purchases import State
from flashsale.refusals import REFUSAL_STATUS, REFUSALS
from flashsale.showing import show_purchase, show_unsettled, steps
from flashsale.tasks import ring
from flashsale.views.finding import sale_or_404, see
from shop.views.checkout import Hold, checkout_page
from shop.views.orders import tell_of_extension

#: Seconds between two looks of a page that works without JavaScript.
QUEUED_REFRESH_SECONDS = 2
#: Signs of a form's attempt that count: it is a UUID.
LONGEST_ATTEMPT = 36


@require_POST
def buy(request: HttpRequest, slug: str) -> HttpResponse:
    shopper = shoppers.identify(request)
    count(request, allowance=BUY, shopper=shopper)
    sale = sale_or_404(slug)
    if shopper is None:
        return redirect_to_login(reverse("flashsale:sale", args=[slug]))
    now = timezone.now()
    if sale.has_line and admission_of(request, sale, shopper, now) is None:
        messages.info(request, _("Your time inside is over, or it is not your turn yet."))
        return see(reverse("flashsale:line", args=[slug]))
    item = _whole_number(request.POST.get("item"))
    quantity = _whole_number(request.POST.get("quantity", "1"))
    attempt = request.POST.get("attempt", "")[:LONGEST_ATTEMPT]
    result = buying.buy(
        sale=sale,
        shopper=shopper,
        item=item,
        quantity=quantity,
        # Back to the form and another choice in it is another click; `static/js/buy.js` sends the same key.
        attempt=attempt and f"{attempt}:{item}:{quantity}",
        now=now,
    )
    if isinstance(result, Accepted):
        if result.ring:
            ring(sale.id)
        return see(reverse("flashsale:purchase", args=[result.purchase]))
    if result.reason is Refusal.NO_ADMISSION:
        response = see(reverse("flashsale:line", args=[slug]))
        response.delete_cookie(admission_cookie(sale), samesite="Lax")
        messages.info(request, _("Your time inside is over. You keep your place in line."))
        return response
    title, text = REFUSALS[result.reason]
    status = REFUSAL_STATUS.get(result.reason, 409)
    context = {
        "sale": sale,
        "reason": result.reason,
        "title": title,
        "text": text,
        "purchase_url": result.purchase and reverse("flashsale:purchase", args=[result.purchase]),
        "sale_url": reverse("flashsale:sale", args=[slug]),
        "line_url": reverse("flashsale:line", args=[slug]) if sale.has_line else None,
    }
    return render(request, "flashsale/refused.html", context, status=status)


def _whole_number(text: str | None) -> int:
    """The number, or 0 for what is none: no item and no quantity is 0."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _own_purchase(request: HttpRequest, purchase_id: UUID) -> Purchase:
    shopper = shoppers.identify(request)
    purchase = purchases.find(purchase_id, shopper=shopper) if shopper else None
    if purchase is None:
        raise Http404("There is no such purchase of yours.")
    return purchase


def _unknown_purchase(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    """404, with the way back to the sale: Redis may have lost the click before it was settled."""
    visible = Sale.objects.exclude(status=Sale.Status.DRAFT)
    sale = get_object_or_404(visible, pk=purchases.sale_id_of(purchase_id))
    context = {
        "sale": sale,
        "title": "We do not know this purchase",
        "text": "If you clicked Buy a moment ago, the click was lost before it counted. Nothing was taken, "
        "and you can click again. If you bought something, it is among your orders.",
        "sale_url": sale.get_absolute_url(),
    }
    return render(request, "flashsale/refused.html", context, status=404)


@require_safe
def purchase_detail(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    shopper = shoppers.identify(request)
    if shopper is None:
        return redirect_to_login(request.path)
    purchase = purchases.find(purchase_id, shopper=shopper)
    if purchase is None:
        unsettled = show_unsettled(purchase_id, shopper=shopper)
        if unsettled is None:
            return _unknown_purchase(request, purchase_id)
        view, sale = unsettled
    else:
        view, sale = show_purchase(purchase), purchase.sale
    current = {State.PAID: "Done", State.ORDERED: "Pay"}.get(view.state, "Hold")
    return render(
        request,
        "flashsale/purchase.html",
        {
            "purchase": view,
            "image": purchase.item.variant.product.images.first() if purchase else None,
            "sale_name": sale.name,
            "sale_url": sale.get_absolute_url(),
            "order_url": reverse("shop:order", args=[view.order]) if view.order else None,
            "hold_expires_at": view.hold_expires_at,
            "checkout_url": view.checkout_url,
            "extend_url": reverse("flashsale:purchase-extend", args=[purchase_id])
            if view.can_extend
            else None,
            "release_url": reverse("flashsale:purchase-release", args=[purchase_id]),
            "status_url": reverse("api:purchase", args=[purchase_id]),
            "refresh_seconds": QUEUED_REFRESH_SECONDS if view.state is State.QUEUED else None,
            "steps": steps(current, has_line=sale.queue_mode != Sale.QueueMode.NONE),
            "server_now": timezone.now(),
        },
    )


@require_http_methods(["GET", "POST"])
def purchase_release(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    purchase = _own_purchase(request, purchase_id)
    if request.method == "GET":
        return render(
            request, "flashsale/purchase_release.html", {"purchase": show_purchase(purchase)}
        )
    if purchases.release(purchase):
        messages.success(request, _("You let it go. The unit goes to the next in line."))
    else:
        messages.info(request, _("There was nothing to let go: it is paid, or its time was over."))
    return see(reverse("flashsale:purchase", args=[purchase_id]))


@require_POST
def purchase_extend(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    _extend(request, _own_purchase(request, purchase_id))
    return see(reverse("flashsale:purchase", args=[purchase_id]))


def _extend(request: HttpRequest, purchase: Purchase) -> None:
    tell_of_extension(request, purchases.extend(purchase))


@require_http_methods(["GET", "POST"])
def purchase_checkout(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    if not request.user.is_authenticated:
        # The cookie alone names a shopper; an order needs the account itself.
        return redirect_to_login(request.path)
    purchase = purchases.find(purchase_id, shopper=request.user.shopper_id)
    if purchase is None:
        raise Http404("There is no such purchase of yours.")
    if purchase.order is not None:
        return redirect(purchase.order)
    if purchases.state_of(purchase) is not State.HELD or purchase.reservation is None:
        return redirect(purchase)
    response = checkout_page(
        request,
        key=purchase.pk,
        lines=[purchases.order_line(purchase)],
        hold=Hold(
            expires_at=purchase.reservation.expires_at,
            extend=partial(_extend, request, purchase) if purchases.can_extend(purchase) else None,
            extension_seconds=purchase.sale.hold_extension_seconds,
        ),
        cancel_url=reverse("flashsale:purchase-release", args=[purchase_id]),
        on_placed=lambda order: purchases.attach_order(purchase, order),
        steps=steps("Pay", has_line=purchase.sale.queue_mode != Sale.QueueMode.NONE),
    )
    _stay_inside(request, response, purchase, shopper=request.user.shopper_id)
    return response


def _stay_inside(
    request: HttpRequest, response: HttpResponse, purchase: Purchase, *, shopper: UUID
) -> None:
    """Who may buy more keeps the time for it while they pay for what is held."""
    sale = sales.find(purchase.sale.slug)
    if sale is None or not sale.has_line or purchase.reservation is None:
        return
    with suppress(redis.RedisError):  # the admission ends when it would have anyway
        admitted = admissions.stay_at_checkout(
            sale,
            shopper=shopper,
            claimed_at=purchase.claimed_at,
            hold_ends=purchase.reservation.expires_at,
            now=timezone.now(),
        )
        if admitted is not None:
            keep_admission(response, sale, admitted, secure=request.is_secure())
