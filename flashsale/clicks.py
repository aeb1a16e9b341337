"""A click on Buy as the JSON API takes and answers it, the same over Django and over the express way."""

from datetime import datetime
from uuid import UUID

from flashsale import buying, tickets
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.refusals import REFUSAL_STATUS, REFUSALS
from flashsale.replies import BUSY_RETRY_SECONDS, Reply, encode, refusal
from flashsale.sales import Phase, SaleInfo, phase_by_clock
from flashsale.tasks import ring
from shop.paths import path_to


def take(
    *,
    sale: SaleInfo,
    shopper: UUID,
    admission: str,
    item: int,
    quantity: int,
    attempt: str,
    now: datetime,
) -> Reply:
    """Claim units for a shopper who shows an admission, ask for a drain, and say what came of it."""
    needs_admission = sale.has_line and phase_by_clock(sale, now=now) is Phase.OPEN
    if needs_admission and not _is_good(admission, sale, shopper, now):
        return reply(Refused(Refusal.NO_ADMISSION))
    result = buying.buy(
        sale=sale, shopper=shopper, item=item, quantity=quantity, attempt=attempt, now=now
    )
    if isinstance(result, Accepted) and result.ring:
        ring(sale.id)
    return reply(result)


def reply(result: Accepted | Refused) -> Reply:
    """202 with the purchase, or a problem that says why not."""
    if isinstance(result, Accepted):
        purchase = str(result.purchase)
        url = path_to("api:purchase", purchase)
        document = {"id": purchase, "state": result.state, "url": url}
        return Reply(202, encode(document), {"Location": url})
    if result.reason is Refusal.NO_ADMISSION:
        detail = "A live admission of your own is needed: trade your ticket for one."
        return refusal(403, "admission_not_valid", detail)
    detail = str(REFUSALS[result.reason][1])
    if result.reason is Refusal.BUSY:
        return refusal(503, result.reason, detail, retry_after=BUSY_RETRY_SECONDS)
    own = result.purchase and str(result.purchase)
    status = REFUSAL_STATUS.get(result.reason, 409)
    return refusal(status, result.reason, detail, purchase=own)


def _is_good(admission: str, sale: SaleInfo, shopper: UUID, now: datetime) -> bool:
    try:
        tickets.read_admission(admission, sale_id=sale.id, shopper=shopper, now=now)
    except tickets.NotValid:
        return False
    return True
