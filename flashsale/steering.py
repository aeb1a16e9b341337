"""What a merchant does with a sale: PostgreSQL decides, then Redis is told.

When Redis is away: the change stands, because every claim is checked against PostgreSQL's status first; the
gate and the line document follow with the next beat. Admissions of a sale that was paused meanwhile buy nothing until
it goes on, and then until their time is over.
"""

import json
import logging
from datetime import datetime, timedelta

import redis
from django.utils import timezone

from flashsale import admissions, gate, line, restocking, sales, store
from flashsale.keys import key
from flashsale.models import Sale, SaleItem
from flashsale.sales import Phase, phase_by_clock

log = logging.getLogger(__name__)

OVER = (Sale.Status.ENDED, Sale.Status.CANCELLED)
#: After a sale's planned end nobody waits in its line for longer than this.
LOOK_BACK = timedelta(days=1)


def schedule(sale: Sale) -> None:
    """Show the sale and ring-fence its units.

    Raises:
        sales.NotPossible: it is no draft, has no items, or its times are past.
        inventory.stock.NotEnoughStock: the main pool has fewer free units than an item needs.
    """
    sales.schedule(sale)
    tell(sale)


def pause(sale: Sale) -> None:
    """Stop claims and the line, and let everybody inside out; they keep their places. Raises: sales.NotPossible."""
    sales.pause(sale)
    tell(sale)


def resume(sale: Sale) -> None:
    """Go on after a pause. Raises: sales.NotPossible."""
    sales.resume(sale)
    tell(sale)


def end(sale: Sale) -> None:
    """End before the time. Raises: sales.NotPossible."""
    sales.end(sale)
    tell(sale)


def cancel(sale: Sale) -> None:
    """Call the sale off. Raises: sales.NotPossible."""
    was_draft = sale.status == Sale.Status.DRAFT
    sales.cancel(sale)
    if not was_draft:
        tell(sale)


def change_units(*, item: SaleItem, change: int, actor: str, seen: int | None = None) -> bool:
    """More units for an item of a running sale, or fewer; shoppers can claim them at once.

    Returns:
        False when Redis is away, and the gate follows with the next beat.

    Raises:
        What `restocking.change_units` does; then nothing has changed.
    """
    restocking.change_units(item=item, change=change, actor=actor, seen=seen)
    return tell(item.sale)


def tell_what_is_over(*, now: datetime) -> None:
    """Tell Redis of sales that are over and of which it says otherwise: it was away, or whoever told it died.

    A call that came with the last moment may have made a key anew since: each has an end afterwards.

    Raises:
        redis.RedisError: Redis is away; the next beat does it.
    """
    for sale in Sale.objects.filter(status__in=OVER, closes_at__gt=now - LOOK_BACK):
        pipeline = store.client().pipeline(transaction=False)
        pipeline.get(key(sale.pk, "line"))
        pipeline.hget(key(sale.pk, "gate"), "state")
        document, state = pipeline.execute()
        if state == "open" or (document and json.loads(str(document))["phase"] not in OVER):
            tell(sale)
        else:
            gate.let_keys_expire(sale.pk)


def tell(sale: Sale) -> bool:
    """Set the gate and the line document to what PostgreSQL says; False when Redis is away.

    Nobody stays inside a sale that is not open.
    """
    sale.refresh_from_db()
    sales.forget_copies()
    info = sales.describe(sale)
    try:
        gate.sync(info, now=timezone.now())
        if phase_by_clock(info, now=timezone.now()) is not Phase.OPEN:
            # After the gate was shut: from then on nobody is let in.
            admissions.let_all_out(info)
        line.renew(info, now=timezone.now())
        if sale.status in OVER:
            gate.let_keys_expire(sale.pk)
    except redis.RedisError:
        log.exception("Redis is away: the gate of %s follows with the next beat", sale.slug)
        return False
    return True
