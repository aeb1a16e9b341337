"""Pages of the front door. Each parses, makes one domain call, and says what came of it."""

import uuid
from datetime import datetime
from uuid import UUID

import redis
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from flashsale import admissions, buying, line, purchases, shoppers, tickets
from flashsale.admissions import Admitted, NoEntry
from flashsale.buying import Accepted, Refusal
from flashsale.limits import LINE_LIMITS, count_click
from flashsale.models import Purchase, Sale
from flashsale.purchases import State
from flashsale.sales import Phase, SaleInfo, find
from flashsale.showing import (
    show_purchase,
    show_sale,
    show_unsettled,
    steps,
    units_of,
    wait_in_words,
)
from flashsale.tasks import ring
from shop.ratelimits import limited
from shop.views.checkout import checkout_page

TICKET_COOKIE_SECONDS = 365 * 24 * 3600
#: Seconds between two looks of a page that works without JavaScript.
REFRESH_SECONDS = {"lobby": 15, "line": 6, "queued": 2}

REFUSALS = {
    Refusal.SOLD_OUT: (
        "All units are taken",
        "Every unit is sold or held for somebody who is paying. A hold that is not paid comes back: "
        "stay in line, and you may still get one.",
    ),
    Refusal.LIMIT_REACHED: (
        "You have your share already",
        "This sale has a limit per shopper, and you have reached it.",
    ),
    Refusal.NOT_OPEN: ("The sale is not open", "Nothing was taken. Come back when it is open."),
    Refusal.UNKNOWN_ITEM: ("This is not in the sale", "Choose one of the things that are."),
    Refusal.BAD_QUANTITY: ("How many?", "Choose a whole number of at least one."),
    Refusal.ACCOUNT_CLOSED: (
        "This account is closed",
        "It cannot buy any more, and nothing was taken. Sign in with another account.",
    ),
    Refusal.BUSY: (
        "One moment",
        "We could not take your click just now, and nothing was taken. Please try again.",
    ),
}
#: A conflict with what others took or what the shopper has, unless it says something else.
REFUSAL_STATUS = {
    Refusal.UNKNOWN_ITEM: 404,
    Refusal.BAD_QUANTITY: 400,
    Refusal.ACCOUNT_CLOSED: 403,
    Refusal.BUSY: 503,
}


def _sale_or_404(slug: str) -> SaleInfo:
    sale = find(slug)
    if sale is None:
        raise Http404("There is no such sale.")
    return sale


def _ticket_cookie(sale: SaleInfo) -> str:
    return f"ticket-{sale.id}"


def admission_cookie(sale: SaleInfo) -> str:
    return f"admission-{sale.id}"


def ticket_of(request: HttpRequest, sale: SaleInfo, shopper: UUID | None) -> tickets.Ticket | None:
    if shopper is None:
        return None
    try:
        return tickets.read_ticket(
            request.COOKIES.get(_ticket_cookie(sale), ""), sale_id=sale.id, shopper=shopper
        )
    except tickets.NotValid:
        return None


def _admission_of(
    request: HttpRequest, sale: SaleInfo, shopper: UUID | None, now: datetime
) -> datetime | None:
    if shopper is None:
        return None
    try:
        return tickets.read_admission(
            request.COOKIES.get(admission_cookie(sale), ""),
            sale_id=sale.id,
            shopper=shopper,
            now=now,
        )
    except tickets.NotValid:
        return None


def _see(url: str) -> HttpResponseRedirect:
    """303: look there with GET, so that a reload posts nothing again."""
    return HttpResponseRedirect(url, status=303)


@require_safe
def sale_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    shown = Sale.objects.exclude(status=Sale.Status.DRAFT).filter(is_rehearsal=False)
    views = [show_sale(sale, now=now) for sale in shown.order_by("opens_at")[:50]]
    views.sort(key=lambda view: not view.info.has_line)  # the occasion before the shelf
    running = (Phase.LOBBY, Phase.OPEN, Phase.PAUSED, Phase.SOLD_OUT)
    return render(
        request,
        "flashsale/sales.html",
        {
            "running": [view for view in views if view.phase in running],
            "upcoming": [view for view in views if view.phase is Phase.SCHEDULED],
            "past": [view for view in reversed(views) if view.phase is Phase.ENDED],
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
    admission_ends = _admission_of(request, view.info, shopper, now) if has_units_left else None
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


@limited("line", *LINE_LIMITS)
@require_POST
def join(request: HttpRequest, slug: str) -> HttpResponse:
    sale = _sale_or_404(slug)
    line_url = reverse("flashsale:line", args=[slug])
    shopper = shoppers.identify(request)
    if shopper is None:
        return redirect_to_login(line_url)
    try:
        joined = line.join(
            sale,
            shopper=shopper,
            now=timezone.now(),
            proven=ticket_of(request, sale, shopper),
        )
    except line.CannotJoin:
        messages.error(request, "The line of this sale is not open now.")
        return _see(reverse("flashsale:sale", args=[slug]))
    except redis.RedisError:
        messages.error(request, "We could not put you in line just now. Please try again.")
        return _see(line_url)
    response = _see(line_url)
    response.set_cookie(
        _ticket_cookie(sale),
        tickets.sign_ticket(joined.ticket, sale_id=sale.id, shopper=shopper),
        max_age=TICKET_COOKIE_SECONDS,
        httponly=True,
        secure=request.is_secure(),
        samesite="Lax",
    )
    return response


@require_safe
def waiting_room(request: HttpRequest, slug: str) -> HttpResponse:
    sale = get_object_or_404(Sale.objects.exclude(status=Sale.Status.DRAFT), slug=slug)
    now = timezone.now()
    view = show_sale(sale, now=now)
    if not view.info.has_line:
        return redirect(view.url)
    shopper = shoppers.identify(request)
    ticket = ticket_of(request, view.info, shopper)
    document = line.document(view.info, now=now)
    where = None
    if ticket is not None and shopper is not None:
        where = line.position(view.info, ticket=ticket, shopper=shopper, document=document, now=now)
    return render(
        request,
        "flashsale/line.html",
        {
            "sale": view,
            "ticket": request.COOKIES.get(_ticket_cookie(view.info)) if ticket else None,
            "is_signed_in": shopper is not None,
            "place": where.place if where else None,
            "ahead": where.ahead if where else None,
            "wait": wait_in_words(where.wait_seconds) if where else None,
            "served": where.is_served if where else False,
            "admitted": _admission_of(request, view.info, shopper, now) is not None,
            "document": document,
            "document_url": reverse("api:sale-line", args=[slug]),
            "ticket_url": reverse("api:sale-ticket", args=[slug]),
            "admission_url": reverse("api:sale-admission", args=[slug]),
            "enter_url": reverse("flashsale:enter", args=[slug]),
            "leave_url": reverse("flashsale:leave", args=[slug]),
            "refresh_seconds": _line_refresh_seconds(opens_at=sale.opens_at, now=now),
            "units_left": document["units_left"],
            "waiting": document["waiting"],
            "steps": steps("Line", has_line=True),
            "server_now": now,
        },
    )


def _line_refresh_seconds(*, opens_at: datetime, now: datetime) -> int:
    """Seconds until the page looks again; the first look after the opening finds the draw made."""
    if now >= opens_at:
        return REFRESH_SECONDS["line"]
    return min(REFRESH_SECONDS["lobby"], int((opens_at - now).total_seconds()) + 3)


@limited("line", *LINE_LIMITS)
@require_POST
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    sale = _sale_or_404(slug)
    line_url = reverse("flashsale:line", args=[slug])
    shopper = shoppers.identify(request)
    if shopper is None:
        return redirect_to_login(line_url)
    ticket = ticket_of(request, sale, shopper)
    if ticket is None:
        messages.error(request, "Join the line first: your place could not be read.")
        return _see(line_url)
    try:
        result = admissions.enter(sale, shopper=shopper, ticket=ticket, now=timezone.now())
    except redis.RedisError:
        messages.error(request, "We could not let you in just now. You keep your place.")
        return _see(line_url)
    if not isinstance(result, Admitted):
        told = {
            NoEntry.TOO_EARLY: "It is not your turn yet. You keep your place.",
            NoEntry.FULL: "The shop is full for a moment. You keep your place.",
            NoEntry.ALL_HELD: "Every unit is held right now. Some may come back; you keep your place.",
            NoEntry.NOT_OPEN: "The sale is not open now.",
        }
        messages.info(request, told[result.reason])
        return _see(line_url)
    response = _see(reverse("flashsale:sale", args=[slug]))
    keep_admission(response, sale, result, secure=request.is_secure())
    return response


def keep_admission(
    response: HttpResponse, sale: SaleInfo, admitted: Admitted, *, secure: bool
) -> None:
    """Let the browser keep its admission; the API's answer does so, too."""
    response.set_cookie(
        admission_cookie(sale),
        admitted.admission,
        expires=admitted.expires_at,
        httponly=True,
        secure=secure,
        samesite="Lax",
    )


@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    sale = _sale_or_404(slug)
    shopper = shoppers.identify(request)
    if shopper is not None:
        try:
            admissions.leave(sale, shopper=shopper)
        except redis.RedisError:
            messages.info(request, "You have left; your place inside ends by itself.")
    response = _see(reverse("flashsale:sale", args=[slug]))
    response.delete_cookie(_ticket_cookie(sale), samesite="Lax")
    response.delete_cookie(admission_cookie(sale), samesite="Lax")
    return response


@require_POST
def buy(request: HttpRequest, slug: str) -> HttpResponse:
    shopper = shoppers.identify(request)
    count_click(request, shopper=shopper)
    sale = _sale_or_404(slug)
    if shopper is None:
        return redirect_to_login(reverse("flashsale:sale", args=[slug]))
    now = timezone.now()
    if sale.has_line and _admission_of(request, sale, shopper, now) is None:
        messages.info(request, "Your time inside is over, or it is not your turn yet.")
        return _see(reverse("flashsale:line", args=[slug]))
    result = buying.buy(
        sale=sale,
        shopper=shopper,
        item=_whole_number(request.POST.get("item")),
        quantity=_whole_number(request.POST.get("quantity", "1")),
        attempt=request.POST.get("attempt", ""),
        now=now,
    )
    if isinstance(result, Accepted):
        if result.ring:
            ring(sale.id)
        return _see(reverse("flashsale:purchase", args=[result.purchase]))
    if result.reason is Refusal.NO_ADMISSION:
        response = _see(reverse("flashsale:line", args=[slug]))
        response.delete_cookie(admission_cookie(sale), samesite="Lax")
        messages.info(request, "Your time inside is over. You keep your place in line.")
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
            "release_url": reverse("flashsale:purchase-release", args=[purchase_id]),
            "status_url": reverse("api:purchase", args=[purchase_id]),
            "refresh_seconds": REFRESH_SECONDS["queued"] if view.state is State.QUEUED else None,
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
        messages.success(request, "You let it go. The unit goes to the next in line.")
    else:
        messages.info(request, "There was nothing to let go: it is paid, or its time was over.")
    return _see(reverse("flashsale:purchase", args=[purchase_id]))


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
    return checkout_page(
        request,
        key=purchase.pk,
        lines=[purchases.order_line(purchase)],
        hold_expires_at=purchase.reservation.expires_at,
        cancel_url=reverse("flashsale:purchase-release", args=[purchase_id]),
        on_placed=lambda order: purchases.attach_order(purchase, order),
        steps=steps("Pay", has_line=purchase.sale.queue_mode != Sale.QueueMode.NONE),
    )
