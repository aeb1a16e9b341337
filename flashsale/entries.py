"""Joining the line and entering from it as the JSON API takes and answers them, over Django and the express way."""

from datetime import datetime
from uuid import UUID

import redis

from flashsale import admissions, line, line_document, tickets
from flashsale.admissions import Admitted, NoEntry
from flashsale.challenges import ChallengeRequired
from flashsale.replies import Reply, busy, encode, refusal
from flashsale.sales import SaleInfo
from flashsale.tickets import NotValid, Ticket

NOT_ADMITTED = {
    NoEntry.TOO_EARLY: (425, "It is not your turn yet. You keep your place."),
    NoEntry.FULL: (429, "As many shoppers as fit are inside. You keep your place."),
    NoEntry.ALL_HELD: (429, "Every unit is held. Some may come back; you keep your place."),
    NoEntry.NOT_OPEN: (409, "The sale is not open."),
    NoEntry.SOLD_OUT: (409, "Every unit is sold."),
    NoEntry.LIMIT_REACHED: (409, "You have all the units that one shopper may have."),
}


def join(
    *,
    sale: SaleInfo,
    shopper: UUID,
    brought: str | None,
    kept: Ticket | None,
    now: datetime,
    answer: str = "",
) -> Reply:
    """Put a shopper in line. A ticket that they `brought` must be good; one that the browser `kept` may help.

    `answer` is what they make of the shop's challenge.
    """
    proven = kept
    if brought:
        try:
            proven = tickets.read_ticket(brought, sale_id=sale.id, shopper=shopper)
        except NotValid:
            return _not_theirs()
    try:
        joined = line.join(sale, shopper=shopper, now=now, proven=proven, answer=answer)
    except ChallengeRequired as error:
        return refusal(
            403,
            "challenge_required",
            "Solve the challenge, and join again with the answer to it.",
            challenge={"kind": error.challenge.kind, "content": dict(error.challenge.content)},
        )
    except line.CannotJoin as error:
        if not sale.has_line:
            return refusal(409, "no_line", "This sale has no line: buy at once.")
        return refusal(
            409, "not_open", f"The line of this sale is not open: it is {error.args[0]}."
        )
    except redis.RedisError:
        return busy()
    document = line_document.published(sale, now=now).value
    where = line.position(sale, ticket=joined.ticket, shopper=shopper, document=document, now=now)
    said = {
        "ticket": tickets.sign_ticket(joined.ticket, sale_id=sale.id, shopper=shopper),
        "place": where.place,
        "ahead": where.ahead,
        "estimated_wait_seconds": where.wait_seconds,
    }
    return Reply(201 if joined.is_new else 200, encode(said))


def enter(*, sale: SaleInfo, shopper: UUID, ticket: str, now: datetime) -> Reply:
    """Trade a served ticket for an admission; 425 when it is too early, 429 when it is full."""
    try:
        read = tickets.read_ticket(ticket, sale_id=sale.id, shopper=shopper)
    except NotValid:
        return _not_theirs()
    try:
        result = admissions.enter(sale, shopper=shopper, ticket=read, now=now)
    except redis.RedisError:
        return busy()
    if isinstance(result, Admitted):
        answer = {"admission": result.admission, "expires_at": result.expires_at.isoformat()}
        return Reply(201, encode(answer), admitted=result)
    if result.reason is NoEntry.LOST:
        return busy()
    status, detail = NOT_ADMITTED[result.reason]
    return refusal(status, result.reason, detail, retry_after=result.retry_seconds)


def _not_theirs() -> Reply:
    return refusal(403, "ticket_not_valid", "This ticket is not yours, or not for this sale.")
