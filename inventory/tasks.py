"""What the stockroom does by itself."""

from celery import shared_task

from inventory import audit_runs, reservations

#: Seconds that the nightly audit may take: longer than any other task, and less than the broker's visibility timeout,
#: after which another worker would be given the same task.
LONGEST_AUDIT_SECONDS = 3000


@shared_task
def expire_holds() -> int:
    """Tidy dead holds away in bounded batches. Safe to run twice: each hold changes state once."""
    total = 0
    while batch := reservations.expire(limit=500):
        total += batch
    return total


@shared_task(time_limit=LONGEST_AUDIT_SECONDS)
def audit_books() -> None:
    """Prove the books and keep what came of it. Safe to run twice: it changes nothing that it looks at."""
    audit_runs.record()
