"""The calls of the express way. Each answers, or gives None when Django shall."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from flashsale import challenges, clicks, entries, line_document, sales
from flashsale.cookies import admission_cookie, admission_header, ticket_of
from flashsale.express.callers import Call, Place, identify
from flashsale.limits import BUY, LINE, Allowance, count
from flashsale.replies import Reply, refusal
from flashsale.sales import SaleInfo
from shop.ratelimits import TooManyRequestsError

#: What Django takes further is its own affair. A signed value has about 110 characters.
MOST_OF_QUANTITY, MOST_OF_ITEM, LONGEST_ATTEMPT, LONGEST_SIGNED = 1000, 2**62, 200, 300


@dataclass(frozen=True, slots=True)
class Route:
    """A call by the last part of its address, under `/api/v1/sales/<slug>/`."""

    method: str
    answer: Callable[[Call, Place, str, bytes], Reply | None]


def poll(call: Call, place: Place, slug: str, body: bytes) -> Reply | None:
    """The line document, or 304 to somebody who has it."""
    published = line_document.published_as(slug, now=datetime.now(tz=UTC))
    if published is None:
        return None
    headers = {"Cache-Control": line_document.CACHE_CONTROL, "ETag": published.etag}
    if published.etag in call.META.get("HTTP_IF_NONE_MATCH", ""):
        return Reply(304, b"", headers)
    return Reply(200, published.content, headers)


def join(call: Call, place: Place, slug: str, body: bytes) -> Reply | None:
    """Unless the shop asks something of who joins: then Django does it."""
    said = _read(body, {"ticket"}) if body else {}
    if said is None or not _is_signed(said.get("ticket", "x")) or challenges.is_on():
        return None
    found = _find(call, place, slug)
    if found is None:
        return None
    sale, shopper = found
    return _too_many(call, LINE, shopper) or entries.join(
        sale=sale,
        shopper=shopper,
        brought=said.get("ticket"),
        kept=ticket_of(call, sale, shopper),
        now=datetime.now(tz=UTC),
    )


def enter(call: Call, place: Place, slug: str, body: bytes) -> Reply | None:
    said = _read(body, {"ticket"})
    if said is None or not _is_signed(said.get("ticket")):
        return None
    found = _find(call, place, slug)
    if found is None:
        return None
    sale, shopper = found
    reply = _too_many(call, LINE, shopper) or entries.enter(
        sale=sale, shopper=shopper, ticket=said["ticket"], now=datetime.now(tz=UTC)
    )
    if reply.admitted:
        reply.headers["Set-Cookie"] = admission_header(sale, reply.admitted, secure=place.is_secure)
    return reply


def buy(call: Call, place: Place, slug: str, body: bytes) -> Reply | None:
    """Only with an Idempotency-Key: without one, asking Django afterwards would be a second attempt."""
    attempt = call.META.get("HTTP_IDEMPOTENCY_KEY", "")
    said = _read(body, {"admission", "item", "quantity"})
    if said is None or not 0 < len(attempt) <= LONGEST_ATTEMPT:
        return None
    item, quantity, admission = said.get("item"), said.get("quantity", 1), said.get("admission")
    if type(item) is not int or not 1 <= item <= MOST_OF_ITEM:
        return None
    if type(quantity) is not int or not 1 <= quantity <= MOST_OF_QUANTITY:
        return None
    if admission is not None and admission != "" and not _is_signed(admission):
        return None
    found = _find(call, place, slug)
    if found is None:
        return None
    sale, shopper = found
    return _too_many(call, BUY, shopper) or clicks.take(
        sale=sale,
        shopper=shopper,
        admission=admission or call.COOKIES.get(admission_cookie(sale), ""),
        item=item,
        quantity=quantity,
        attempt=attempt,
        now=datetime.now(tz=UTC),
    )


ROUTES = {
    "line": Route("GET", poll),
    "ticket": Route("POST", join),
    "admission": Route("POST", enter),
    "purchases": Route("POST", buy),
}


def _read(body: bytes, members: set[str]) -> dict[str, Any] | None:
    """The object that was sent; None when it is none, or says something that we do not know."""
    try:
        said = orjson.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.keys() <= members else None


def _is_signed(value: Any) -> bool:
    """Whether REST framework's field would take a value as it is."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_SIGNED
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    )


def _find(call: Call, place: Place, slug: str) -> tuple[SaleInfo, UUID] | None:
    shopper = identify(call, place)
    sale = sales.find(slug) if shopper else None
    return (sale, shopper) if sale and shopper else None


def _too_many(call: Call, allowance: Allowance, shopper: UUID) -> Reply | None:
    try:
        count(call, allowance=allowance, shopper=shopper)
    except TooManyRequestsError as error:
        return refusal(429, "too_many_requests", str(error), retry_after=error.retry_after)
    return None
