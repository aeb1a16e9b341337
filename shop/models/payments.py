"""Money that moves: intents, the provider's events, and the book of the demo provider."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from shop.models.orders import Order
from shop.money import SUM_DIGITS


class PaymentIntent(models.Model):
    """One attempt to be paid for one order."""

    class State(models.TextChoices):
        CREATED = "created", "Created"
        AUTHORISED = "authorised", "Authorised"
        CONFIRMED = "confirmed", "Units confirmed, to be captured"
        CAPTURED = "captured", "Captured"
        DECLINED = "declined", "Declined"
        CANCELLING = "cancelling", "To be cancelled"
        CANCELLED = "cancelled", "Cancelled"
        REFUNDING = "refunding", "To be refunded"
        REFUNDED = "refunded", "Refunded"

    #: An attempt in one of these may still take money: an order has one such attempt at most.
    LIVE = (State.CREATED, State.AUTHORISED, State.CONFIRMED, State.CAPTURED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payment_intents")
    gateway = models.CharField(max_length=20)
    method = models.JSONField(default=dict, help_text="What the shopper chose; never card numbers.")
    reference = models.CharField(max_length=100, blank=True, help_text="The provider's own id.")
    amount = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices, default=State.CREATED)
    decline_reason = models.CharField(max_length=200, blank=True)
    action = models.JSONField(
        null=True, blank=True, help_text="What the shopper has to do at the bank, while it is so."
    )
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="Times in a row that the provider was asked and nothing came of it."
    )
    last_error = models.CharField(max_length=200, blank=True)
    given_back = models.DecimalField(
        "given back, says the provider",
        max_digits=SUM_DIGITS,
        decimal_places=2,
        null=True,
        blank=True,
    )
    ask_refunds_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the provider is asked what it gave back, if it is to be.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                name="payment_intent_one_live_per_order",
                condition=Q(state__in=["created", "authorised", "confirmed", "captured"]),
            ),
            models.UniqueConstraint(
                fields=["gateway", "reference"],
                name="payment_intent_reference_unique",
                condition=~Q(reference=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["updated_at"],
                name="payment_intent_unfinished",
                condition=Q(
                    state__in=["created", "authorised", "confirmed", "cancelling", "refunding"]
                ),
            ),
            models.Index(
                fields=["ask_refunds_at"],
                name="payment_intent_ask_refunds",
                condition=Q(ask_refunds_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.amount} {self.currency}, {self.state}"


class PaymentEvent(models.Model):
    """What a provider told us, stored under its own id before anything is done about it."""

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=60)
    reference = models.CharField(max_length=100, blank=True)
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried next.")
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="payment_event_unique")
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="payment_event_unprocessed",
                condition=Q(processed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.kind} {self.event_id}"


class DemoAuthorisation(models.Model):
    """The demo provider's own book: what it believes about one intent. The shop never reads it."""

    class State(models.TextChoices):
        PENDING = "pending"
        AUTHORISED = "authorised"
        CAPTURED = "captured"
        DECLINED = "declined"
        CANCELLED = "cancelled"
        REFUNDED = "refunded"

    reference = models.CharField(max_length=100, primary_key=True)
    amount = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10, choices=State.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.reference} {self.state}"


class DemoRefund(models.Model):
    """What the demo provider gave back, under the key of the call that asked for it."""

    key = models.UUIDField(primary_key=True)
    authorisation = models.ForeignKey(
        DemoAuthorisation, on_delete=models.CASCADE, related_name="refunds"
    )
    amount = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)

    def __str__(self) -> str:
        return f"{self.amount} of {self.authorisation_id}"


class DemoDelivery(models.Model):
    """An event that the demo provider still has to send, once or several times."""

    payload = models.JSONField()
    deliver_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.payload.get('type')} at {self.deliver_at:%H:%M:%S}"
