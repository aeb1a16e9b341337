"""What the shop asks of a payment provider, and in which words it answers.

Every call names the intent, and repeating it changes nothing: the intent's id is the idempotency key; a
refund, of which an intent may have several, brings a key of its own.
A call that raises `GatewayUnavailable` may have happened or not; `status` tells later. `docs/payments.md` says
how to add a provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from django import forms

from shop.models import PaymentIntent


@dataclass(frozen=True, slots=True)
class Money:
    """What the provider says that it keeps or took; `currency` is an ISO 4217 code in capitals."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """The provider has heard of the intent. `reference` is its own id; no bank was asked yet."""

    reference: str


@dataclass(frozen=True, slots=True)
class Authorised:
    """The bank keeps the amount for us. `reference` is the provider's own id.

    `money` is that amount, where the provider tells it.
    """

    reference: str
    money: Money | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The bank said no; `reason` can be shown to the shopper."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The bank has not decided; an event tells, and so does `status`."""

    reference: str


@dataclass(frozen=True, slots=True)
class ActionRequired:
    """The shopper has to do something first, mostly at their bank; an event tells what came of it.

    `action` is kept until then and shown to the shopper: `{"type": "redirect", "url": ...}` is a page to go
    to, any other type is for the provider's script on our page.
    """

    reference: str
    action: Mapping[str, Any]


class View(StrEnum):
    """What the provider believes about an intent."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Status:
    """`action` is what a pending intent waits for, when it is the shopper who has to do it.

    `money` is what is authorised or was captured, where the provider tells it; `refunded` what of it was given
    back, whoever asked for that.
    """

    view: View
    reference: str = ""
    action: Mapping[str, Any] | None = None
    money: Money | None = None
    refunded: Decimal | None = None


class EventKind(StrEnum):
    """What an event is about; `OTHER` is stored and has no effect."""

    AUTHORISED = "authorised"
    DECLINED = "declined"
    CAPTURED = "captured"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event whose signature was right. `intent_id` is ours, when the provider carried it along.

    `refund_id` is the key of the refund that it is about, if it is about one.
    """

    event_id: str
    kind: EventKind
    reference: str
    intent_id: UUID | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    refund_id: UUID | None = None


class GatewayUnavailable(Exception):
    """The provider did not answer, or not in a way we understand: the outcome is unknown."""


class AmountDiffers(GatewayUnavailable):
    """The provider keeps or took another amount than we asked for: nothing goes on from here by itself."""


class GatewayRefused(Exception):
    """The provider says that this cannot be done, now or ever."""


class AlreadyCaptured(GatewayRefused):
    """It cannot be cancelled any more; it can be refunded."""


class BadSignature(Exception):
    """This event was not signed by the provider, or it is not an event at all."""


class BadMethod(ValueError):
    """The way to pay makes no sense; the message says what would."""


class Gateway(Protocol):
    """One payment provider. Calls have a time limit of their own and raise `GatewayUnavailable`."""

    #: What shoppers choose it by. Their pages include `shop/gateways/<name>.html` for its form fields.
    title: str

    def form_fields(self) -> dict[str, forms.Field]:
        """What the shopper says about how they pay, for `read_method`; none of it is required by itself."""

    def read_method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of the shopper's choice (never a card number). Raises `BadMethod`."""

    def prepare(self, intent: PaymentIntent) -> Prepared | Declined:
        """Tell the provider of an intent, and learn its id there, before any money is asked for.

        The id is committed before `authorise`: an intent without one has never reached a bank.
        """

    def authorise(self, intent: PaymentIntent) -> Authorised | Declined | Pending | ActionRequired:
        """Ask the bank to keep the amount for us."""

    def capture(self, intent: PaymentIntent) -> Money | None:
        """Take the authorised amount; what was taken, where the provider tells it.

        Raises `GatewayRefused` when it never will.
        """

    def cancel(self, intent: PaymentIntent) -> None:
        """Let go of what was or will be authorised. Raises `AlreadyCaptured`."""

    def refund(self, intent: PaymentIntent, amount: Decimal, key: UUID) -> None:
        """Give captured money back, all or a part; once for each `key`.

        Raises `GatewayRefused`, e.g. for more than what is left of it.
        """

    def status(self, intent: PaymentIntent) -> Status:
        """What the provider believes; `UNKNOWN` when no bank was ever asked."""

    def parse_event(self, body: bytes, headers: Mapping[str, str]) -> ParsedEvent:
        """Verify and read what the provider sent. Raises `BadSignature`."""
