"""What the front door does by itself. Each task is safe to run twice, and at the same time as itself."""

import os
import socket
from datetime import timedelta

from celery import shared_task
from celery.utils.log import get_task_logger
from django.utils import timezone
from kombu.exceptions import OperationalError

from flashsale import (
    drain,
    drift,
    gate,
    hold_mails,
    line,
    line_alerts,
    sales,
    shedding,
    steering,
    store,
)
from flashsale.keys import key
from flashsale.models import Sale

log = get_task_logger(__name__)


def consumer_name() -> str:
    """This worker process among the consumers of a purchase queue."""
    return f"{socket.gethostname()}-{os.getpid()}"


def ring(sale_id: int) -> None:
    """Ask for a drain. With the broker away nobody waits for it: beat's `drain_all` asks again."""
    try:
        drain_purchases.apply_async((sale_id,), retry=False)
    except OperationalError:
        log.warning("The broker is away: the queue of sale %s is drained by the next beat", sale_id)


@shared_task
def drain_purchases(sale_id: int) -> None:
    """Settle what waits in a sale's purchase queue. Repeated claims are settled once, by their key."""
    sale = sales.describe(Sale.objects.get(pk=sale_id))
    # First: a claim that comes from here on rings again, so none can be left unheard.
    gate.hear_bell(sale_id)
    drained = drain.drain(sale, consumer=consumer_name())
    if drained.wasted:
        gate.sync(sale, now=timezone.now())
    if not drained.is_empty:
        # Behind those of other sales: each has its slice.
        ring(sale_id)


@shared_task
def drain_all() -> None:
    """The safety net under the doorbell: drain every queue that has claims in it."""
    for sale_id in _sales_with_keys():
        if store.client().xlen(key(sale_id, "claims")):
            ring(sale_id)


@shared_task
def renew_lines() -> None:
    """Run the controller of every sale that has not closed yet."""
    now = timezone.now()
    current = Sale.objects.filter(
        status__in=[Sale.Status.SCHEDULED, Sale.Status.PAUSED], closes_at__gt=now
    )
    for pk in current.values_list("pk", flat=True):
        try:
            # Read when its turn comes: one that was ended meanwhile must not be said to be open.
            line.renew(sales.describe(Sale.objects.get(pk=pk)), now=timezone.now())
        except Exception:
            # What is wrong with one sale must not stop the lines of the others.
            log.exception("The line of sale %s stands still", pk)


@shared_task
def send_line_alerts() -> int:
    """Write to those in line who asked for it and whose turn it is. Each mail is claimed before it is sent."""
    return line_alerts.send_due(now=timezone.now())


@shared_task
def write_hold_mails() -> int:
    """Write down the mails about holds that end without an order. Run twice, each goes out once."""
    return hold_mails.write_due()


@shared_task
def close_sales() -> None:
    """End the sales whose time is over, give their free units back, and see that Redis knows."""
    for sale in sales.close_due(now=timezone.now()):
        log.info("%s has ended", sale.slug)
    steering.tell_what_is_over(now=timezone.now())


@shared_task
def watch_gates() -> None:
    """Look whether the gates agree with PostgreSQL. Safe to run twice: an episode is opened once."""
    drift.watch(now=timezone.now())


@shared_task
def publish_load_level() -> None:
    """Tell every process what PostgreSQL says the level is: Redis may have lost it."""
    shedding.publish()


def _sales_with_keys() -> list[int]:
    """Sales whose keys may still hold claims: claims can outlive the sale by moments, not by days."""
    return list(
        Sale.objects.exclude(status=Sale.Status.DRAFT)
        .filter(closes_at__gt=timezone.now() - timedelta(days=1))
        .values_list("pk", flat=True)
    )
