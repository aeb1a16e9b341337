"""Pages of the line: join, wait, enter, leave."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import redis
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_http_methods, require_POST, require_safe

from flashsale import admissions, line, line_alerts, line_document, looks, shoppers
from flashsale.admissions import Admitted, NoEntry
from flashsale.challenges import LONGEST_ANSWER, ChallengeRequired
from flashsale.cookies import (
    admission_cookie,
    keep_admission,
    keep_ticket,
    live_admission,
    ticket_cookie,
    ticket_of,
)
from flashsale.limits import LINE, count
from flashsale.line import Position
from flashsale.models import Sale
from flashsale.sales import Phase, SaleInfo
from flashsale.showing import EXACT_TO, show_sale, steps, time_in_words, wait_in_words
from flashsale.tickets import Ticket
from flashsale.views.finding import sale_or_404, see
from inventory import holdings
from shop import pictures

#: Seconds between two looks of a page that works without JavaScript: in the lobby, and in line near the front
#: and far from it. A page that comes again is read from its top again by those who listen to it.
LOBBY_REFRESH_SECONDS = 15
NEAR_REFRESH_SECONDS, FAR_REFRESH_SECONDS = 6, 30
#: People ahead up to which somebody is near, whatever the wait seems: the last steps come in jumps.
NEAR_AHEAD = 20
#: Seconds for which a sale's stylesheet is kept: a merchant who changes a colour sees it within a minute.
STYLESHEET_SECONDS = 60


@require_POST
def join(request: HttpRequest, slug: str) -> HttpResponse:
    shopper = shoppers.identify(request)
    count(request, allowance=LINE, shopper=shopper)
    sale = sale_or_404(slug)
    line_url = reverse("flashsale:line", args=[slug])
    if shopper is None:
        return redirect_to_login(line_url)
    try:
        joined = line.join(
            sale,
            shopper=shopper,
            now=timezone.now(),
            proven=ticket_of(request, sale, shopper),
            answer=request.POST.get("answer", "")[:LONGEST_ANSWER],
        )
    except ChallengeRequired as error:
        context = {
            "sale": sale,
            "challenge": error.challenge,
            "was_answered": "answer" in request.POST,
            "join_url": request.path,
            "sale_url": reverse("flashsale:sale", args=[slug]),
        }
        return render(request, "flashsale/challenge.html", context, status=403)
    except line.CannotJoin:
        messages.error(request, _("The line of this sale is not open now."))
        return see(reverse("flashsale:sale", args=[slug]))
    except redis.RedisError:
        messages.error(request, _("We could not put you in line just now. Please try again."))
        return see(line_url)
    response = see(line_url)
    keep_ticket(response, sale, joined.ticket, shopper=shopper, secure=request.is_secure())
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
    document = line_document.read(view.info, now=now)
    has_their_share = shopper is not None and (
        holdings.units_of(scope=view.info.scope, holder=str(shopper)) >= view.info.limit
    )
    where = None
    if ticket is not None and shopper is not None:
        where = line.position(view.info, ticket=ticket, shopper=shopper, document=document, now=now)
    return render(
        request,
        "flashsale/line.html",
        {
            "sale": view,
            "look": sale,
            "logo_url": pictures.rendition_url(file=sale.line_logo, width=pictures.WIDTHS[0])
            if sale.line_logo
            else None,
            # Paused before its opening, a sale has its lobby as before.
            "is_running": view.phase in (Phase.OPEN, Phase.PAUSED) and now >= sale.opens_at,
            "is_before_opening": now < sale.opens_at,
            "is_over": view.phase in (Phase.SOLD_OUT, Phase.ENDED, Phase.CANCELLED),
            "has_their_share": has_their_share,
            "ticket": request.COOKIES.get(ticket_cookie(view.info))
            if ticket and not has_their_share
            else None,
            "needs_ticket": ticket is not None and _is_proven_by_ticket_alone(ticket, document),
            "place": where.place if where else None,
            "ahead": where.ahead if where else None,
            "wait": wait_in_words(where.wait_seconds) if where else None,
            "served": where.is_served if where else False,
            "admitted": live_admission(request, view.info, shopper, now) is not None,
            "document_url": reverse("api:sale-line", args=[slug]),
            "ticket_url": reverse("api:sale-ticket", args=[slug]),
            "admission_url": reverse("api:sale-admission", args=[slug]),
            "alert": line_alerts.of_shopper(view.info, shopper=shopper)
            if where and shopper
            else None,
            "enter_url": reverse("flashsale:enter", args=[slug]),
            "leave_url": reverse("flashsale:leave", args=[slug]),
            "refresh_seconds": _refresh_seconds(opens_at=sale.opens_at, where=where, now=now),
            "admission_time": time_in_words(view.info.admission_seconds),
            "exact_to": EXACT_TO,
            "units_left": document["units_left"],
            "waiting": document["waiting"],
            "steps": steps("Line", has_line=True),
            "server_now": now,
        },
    )


def _colour_or_404(slug: str) -> str:
    shown = Sale.objects.exclude(status=Sale.Status.DRAFT).exclude(line_colour="")
    return get_object_or_404(shown, slug=slug).line_colour


@require_safe
@cache_control(public=True, max_age=STYLESHEET_SECONDS)
@condition(etag_func=lambda request, slug: looks.etag(_colour_or_404(slug)))
def stylesheet(request: HttpRequest, slug: str) -> HttpResponse:
    """A sale's own colour, as a file of its own: the strict policy has no inline style."""
    rules = looks.stylesheet(_colour_or_404(slug))
    return HttpResponse(rules, content_type="text/css; charset=utf-8")


def _refresh_seconds(*, opens_at: datetime, where: Position | None, now: datetime) -> int:
    """Seconds until the page looks again; the first look after the opening finds the draw made."""
    if now < opens_at:
        return min(LOBBY_REFRESH_SECONDS, int((opens_at - now).total_seconds()) + 3)
    if where is None or where.wait_seconds is None or (where.ahead or 0) <= NEAR_AHEAD:
        return NEAR_REFRESH_SECONDS
    return max(NEAR_REFRESH_SECONDS, min(FAR_REFRESH_SECONDS, int(where.wait_seconds / 4)))


@require_POST
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    shopper = shoppers.identify(request)
    count(request, allowance=LINE, shopper=shopper)
    sale = sale_or_404(slug)
    line_url = reverse("flashsale:line", args=[slug])
    if shopper is None:
        return redirect_to_login(line_url)
    ticket = ticket_of(request, sale, shopper)
    if ticket is None:
        messages.error(request, _("Join the line first: your place could not be read."))
        return see(line_url)
    try:
        result = admissions.enter(sale, shopper=shopper, ticket=ticket, now=timezone.now())
    except redis.RedisError:
        messages.error(request, _("We could not let you in just now. You keep your place."))
        return see(line_url)
    if not isinstance(result, Admitted):
        told = {
            NoEntry.TOO_EARLY: _("It is not your turn yet. You keep your place."),
            NoEntry.FULL: _("The shop is full for a moment. You keep your place."),
            NoEntry.ALL_HELD: _(
                "Every unit is held right now. Some may come back; you keep your place."
            ),
            NoEntry.NOT_OPEN: _("The sale is not open now."),
            NoEntry.SOLD_OUT: _("Every unit is sold and paid."),
            NoEntry.LIMIT_REACHED: _("You have all the units that one shopper may have."),
            NoEntry.LOST: _("We could not let you in just now. You keep your place."),
        }
        messages.info(request, told[result.reason])
        has_more_to_see = result.reason is NoEntry.LIMIT_REACHED
        return see(reverse("flashsale:sale", args=[slug]) if has_more_to_see else line_url)
    response = see(reverse("flashsale:sale", args=[slug]))
    keep_admission(response, sale, result, secure=request.is_secure())
    return response


@require_POST
def away(request: HttpRequest, slug: str) -> HttpResponse:
    """What a browser sends when the sale's page is closed, and nobody reads the answer to."""
    shopper = shoppers.identify(request)
    count(request, allowance=LINE, shopper=shopper)
    sale = sale_or_404(slug)
    if shopper is not None:
        with suppress(redis.RedisError):  # the admission runs out by itself
            admissions.close_page(sale, shopper=shopper, now=timezone.now())
    return HttpResponse(status=204)


@require_POST
def alert(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the mail that says that it is your turn, or take that back (`want` is `no`)."""
    shopper = shoppers.identify(request)
    count(request, allowance=LINE, shopper=shopper)
    sale = sale_or_404(slug)
    line_url = reverse("flashsale:line", args=[slug])
    if shopper is None:
        return redirect_to_login(line_url)
    ticket = ticket_of(request, sale, shopper)
    if request.POST.get("want") == "no":
        line_alerts.withdraw(sale, shopper=shopper)
    elif ticket is None:
        messages.error(request, _("Join the line first: your place could not be read."))
    else:
        line_alerts.ask(sale, shopper=shopper, ticket=ticket, now=timezone.now())
    return see(line_url)


@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    sale = sale_or_404(slug)
    if request.method != "POST":
        return _ask_before_leaving(request, sale)
    shopper = shoppers.identify(request)
    count(request, allowance=LINE, shopper=shopper)
    if shopper is not None:
        line_alerts.withdraw(sale, shopper=shopper)
        try:
            admissions.leave(sale, shopper=shopper)
        except redis.RedisError:
            messages.info(request, _("You have left; your place inside ends by itself."))
    response = see(reverse("flashsale:sale", args=[slug]))
    response.delete_cookie(ticket_cookie(sale), samesite="Lax")
    response.delete_cookie(admission_cookie(sale), samesite="Lax")
    return response


def _ask_before_leaving(request: HttpRequest, sale: SaleInfo) -> HttpResponse:
    """Say what is lost; whoever looks at this page, or fetches it ahead, loses nothing."""
    now, shopper = timezone.now(), shoppers.identify(request)
    ticket = ticket_of(request, sale, shopper)
    if ticket is None or shopper is None:
        return redirect(reverse("flashsale:sale", args=[sale.slug]))
    document = line_document.read(sale, now=now)
    where = line.position(sale, ticket=ticket, shopper=shopper, document=document, now=now)
    return render(
        request,
        "flashsale/line_leave.html",
        {
            "sale": sale,
            "place": where.place,
            "is_inside": live_admission(request, sale, shopper, now) is not None,
            "needs_ticket": _is_proven_by_ticket_alone(ticket, document),
            "line_url": reverse("flashsale:line", args=[sale.slug]),
        },
    )


def _is_proven_by_ticket_alone(ticket: Ticket, document: dict[str, Any]) -> bool:
    """Whether the crowd of the lobby was so large that nothing else remembers who was there."""
    crowd = max(document["draw_size"] or 0, document["waiting"])
    return ticket.is_draw and crowd > line.SEEN_TRUSTED
