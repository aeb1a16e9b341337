"""The audit as a habit: run by the clock, kept, and told when something does not agree."""

import time

from django.db import connection
from django.utils import timezone

from inventory import alerts, audit
from inventory.models import AuditRun

#: The advisory lock of whoever runs the audit by the clock; any number will do that nothing else uses.
LOCK = 7_283_520_001


def record() -> AuditRun | None:
    """Prove everything, keep the run, and alert when there is a breach; None when somebody is at it.

    Each run is a record of its own, so running it twice adds a second one and harms nothing.
    """
    started_at, started = timezone.now(), time.monotonic()
    with audit.snapshot():
        if not _is_alone():
            return None
        results = list(audit.run(scope={}))
    breaches = {result.check.name: result.breaches for result in results if result.breaches}
    run = AuditRun.objects.create(
        started_at=started_at,
        seconds=round(time.monotonic() - started, 3),
        checks=len(results),
        breaches=breaches,
        ok=not breaches,
    )
    if breaches:
        alerts.alert(
            subject=f"the audit found {len(breaches)} of {len(results)} checks failed",
            body=_told(results),
        )
    return run


def _is_alone() -> bool:
    """Whether nobody else runs it; the answer holds until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        (alone,) = cursor.fetchone()
    return bool(alone)


def _told(results: list[audit.Result]) -> str:
    lines = []
    for result in results:
        if result.breaches:
            lines += [f"{result.check.name}: {result.check.question}"]
            lines += [f"    {breach}" for breach in result.breaches]
    return "\n".join([*lines, "", "Look with: manage.py audit"])
