"""What a browser keeps of the line: the ticket and the admission, in cookies that no script reads."""

import time
from datetime import UTC, datetime
from uuid import UUID

import redis
from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

from flashsale import admissions, tickets
from flashsale.admissions import Admitted
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket

#: A place is kept across sign-out and restarts of the browser, for longer than any sale runs.
TICKET_SECONDS = 365 * 24 * 3600


def ticket_cookie(sale: SaleInfo) -> str:
    return f"ticket-{sale.id}"


def admission_cookie(sale: SaleInfo) -> str:
    return f"admission-{sale.id}"


def ticket_of(request: HttpRequest, sale: SaleInfo, shopper: UUID | None) -> Ticket | None:
    """The ticket that the browser shows, when it is this shopper's."""
    shown = request.COOKIES.get(ticket_cookie(sale))
    if shopper is None or not shown:
        return None
    try:
        return tickets.read_ticket(shown, sale_id=sale.id, shopper=shopper)
    except tickets.NotValid:
        return None


def admission_of(
    request: HttpRequest, sale: SaleInfo, shopper: UUID | None, now: datetime
) -> datetime | None:
    """When the admission that the browser shows ends, if it is this shopper's and not over."""
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


def live_admission(
    request: HttpRequest, sale: SaleInfo, shopper: UUID | None, now: datetime
) -> datetime | None:
    """The same, if the shopper is still inside. With Redis away the signature is believed."""
    ends = admission_of(request, sale, shopper, now)
    if ends is None or shopper is None:
        return None
    try:
        return ends if admissions.stay(sale, shopper=shopper, now=now) else None
    except redis.RedisError:
        return ends


def keep_ticket(
    response: HttpResponse, sale: SaleInfo, ticket: Ticket, *, shopper: UUID, secure: bool
) -> None:
    response.set_cookie(
        ticket_cookie(sale),
        tickets.sign_ticket(ticket, sale_id=sale.id, shopper=shopper),
        max_age=TICKET_SECONDS,
        httponly=True,
        secure=secure,
        samesite="Lax",
    )


def keep_admission(
    response: HttpResponse, sale: SaleInfo, admitted: Admitted, *, secure: bool
) -> None:
    """For pages; the API's answer does so, too."""
    response.set_cookie(
        admission_cookie(sale),
        admitted.admission,
        expires=admitted.expires_at,
        httponly=True,
        secure=secure,
        samesite="Lax",
    )


def admission_header(sale: SaleInfo, admitted: Admitted, *, secure: bool) -> str:
    """What `keep_admission` sends, as the value of a Set-Cookie header, in a third of the time."""
    # One more, as Django says it: the part of a second is lost.
    seconds = max(0, int((admitted.expires_at - datetime.now(tz=UTC)).total_seconds()) + 1)
    return (
        f"{admission_cookie(sale)}={admitted.admission}; expires={http_date(time.time() + seconds)};"
        f" HttpOnly; Max-Age={seconds}; Path=/; SameSite=Lax{'; Secure' if secure else ''}"
    )
