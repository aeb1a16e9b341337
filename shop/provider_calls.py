"""How the shop calls a provider about a payment: outside of transactions, in time for who waits, reading the answer.

What came of nothing is counted on the intent (`payment_pauses`). An answer about another amount than ours goes
no further: the order is not paid by it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from django.db import connection

from inventory import alerts
from shop import gateways, payment_pauses
from shop.gateways import (
    AmountDiffers,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    UnknownGateway,
    breaker,
)
from shop.models import PaymentIntent

Answer = TypeVar("Answer")

#: Seconds of a request after which no further call begins; what is left is beat's.
REQUEST_SECONDS = 6.0


@dataclass(slots=True)
class _Wait:
    """Somebody who waits: until when calls begin, and whether one was allowed. The first decides for all."""

    until: float
    is_allowed: bool = False


_wait: ContextVar[_Wait | None] = ContextVar("_wait", default=None)


class NotAskedError(GatewayUnavailable):
    """The provider was not called: it is slow, and somebody waits for a page."""


@contextmanager
def somebody_waits() -> Iterator[None]:
    """Within this, calls are made only as long as a shopper may be kept waiting for them."""
    before = _wait.set(_Wait(until=monotonic() + REQUEST_SECONDS))
    try:
        yield
    finally:
        _wait.reset(before)


def ask(
    intent: PaymentIntent,
    call: Callable[[gateways.Gateway], Answer],
    *,
    is_telling: bool = True,
) -> Answer:
    """Call the provider: never inside a transaction, where a slow answer would hold rows.

    Args:
        is_telling: whether an answer proves that the provider is well: `prepare` asks no bank, and may be
            answered at once while every bank is slow.

    Raises:
        NotAskedError: somebody would wait for a provider that does not answer.
        AmountDiffers: the answer is about another amount than ours; staff are told.
        GatewayUnavailable, GatewayRefused, UnknownGateway: as the gateway says; counted on the intent.
    """
    if connection.in_atomic_block:
        raise RuntimeError("A payment provider must not be called inside a transaction.")
    circuit, wait = breaker.of(intent.gateway), _wait.get()
    if wait is not None:
        wait.is_allowed = wait.is_allowed or circuit.may_try()
        if not wait.is_allowed or monotonic() > wait.until:
            raise NotAskedError("It is slow, and a shopper waits.")
    try:
        answer = call(gateways.find(intent.gateway))
    except GatewayUnavailable as error:
        circuit.failed()
        payment_pauses.failed(intent, error)
        raise
    except (GatewayRefused, UnknownGateway) as error:
        circuit.worked()
        payment_pauses.failed(intent, error)
        raise
    if is_telling:
        circuit.worked()
    _compare(intent, answer if isinstance(answer, Money) else getattr(answer, "money", None))
    return answer


def _compare(intent: PaymentIntent, money: Money | None) -> None:
    """Whether the provider speaks of our amount. If not the intent stays as it is, for a person to look at."""
    if money is None or money == Money(intent.amount, intent.currency):
        return
    error = AmountDiffers(
        f"It says {money.amount} {money.currency} instead of {intent.amount} {intent.currency}."
    )
    is_news = not PaymentIntent.objects.filter(pk=intent.pk, last_error=str(error)).exists()
    payment_pauses.failed(intent, error)
    if is_news:
        alerts.alert(
            subject=f"a payment of order {intent.order.reference} has another amount",
            body=f"{intent.gateway}: {error}\n\nIt pays for nothing. Look in the admin, at Payments.",
        )
    raise error
