"""When an unfinished payment is tried again: soon after it moved, and then after growing pauses.

A call that got no answer, or an answer that leaves everything as it was, is counted on the intent and
moves its `updated_at`; whatever takes it a step on starts the count again. The pauses are bounded, so what is
to be let go of is, within minutes of the provider's return.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Least, Now

from shop.models import PaymentIntent

State = PaymentIntent.State

#: Seconds until the next try, by how often it was tried in vain. The first is the time that the request
#: which started a step is given to finish it.
PAUSES = (5, 10, 20, 40, 60)
#: So often in vain is ten minutes of trying: then the audit names it, and the admin's filter shows it.
STUCK_TRIES = 13
#: Where the count ends: the column is a small integer.
MOST_TRIES = 9999


def due() -> Q:
    """Intents whose pause is over; a cancellation that nobody has tried yet is due at once."""
    untouched = Q(state=State.CANCELLING, tries=0)
    last = len(PAUSES) - 1
    rested = Q(tries__gte=last, updated_at__lt=_ago(PAUSES[last]))
    for tries, seconds in enumerate(PAUSES[:last]):
        rested |= Q(tries=tries, updated_at__lt=_ago(seconds))
    return untouched | rested


def failed(intent: PaymentIntent, error: Exception) -> None:
    """Nobody knows what became of a call, or the provider refused it: keep what it said."""
    _count(intent, last_error=str(error)[:200])


def nothing_yet(intent: PaymentIntent, *, action: Mapping[str, Any] | None) -> None:
    """The bank has not decided, or waits for the shopper to do `action`."""
    _count(intent, last_error="", action=None if action is None else dict(action))


def _count(intent: PaymentIntent, **fields: Any) -> None:
    # Not if it has moved meanwhile: what is said here is about the state that it was asked in.
    still = PaymentIntent.objects.filter(pk=intent.pk, state=intent.state)
    still.update(tries=Least(F("tries") + 1, MOST_TRIES), updated_at=Now(), **fields)


def _ago(seconds: int) -> Any:
    return Now() - timedelta(seconds=seconds)
