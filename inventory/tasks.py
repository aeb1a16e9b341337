"""What the stockroom does by itself."""

from celery import shared_task

from inventory import reservations


@shared_task
def expire_holds() -> int:
    """Tidy dead holds away in bounded batches. Safe to run twice: each hold changes state once."""
    total = 0
    while batch := reservations.expire(limit=500):
        total += batch
    return total
