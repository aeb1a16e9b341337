"""What comes after the payment: invoices, refunds and returns."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from shop.models.orders import LineItem, Order
from shop.models.payments import PaymentIntent
from shop.money import SUM_DIGITS


class Invoice(models.Model):
    """The bill of a paid order. Numbers run without gaps; an invoice never changes, whatever becomes of its order."""

    number = models.PositiveIntegerField(primary_key=True)
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="invoice")
    seller = models.TextField(
        default="", help_text="Name, address and tax number, as they were that day."
    )
    recipient = models.TextField(
        default="", help_text="Name and address but for the country, as they were that day."
    )
    issued_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Invoice {self.number}"


class Refund(models.Model):
    """Money that goes back for one order: all of it, or a part. Its id is the provider's idempotency key."""

    class State(models.TextChoices):
        PENDING = "pending", "To be given back"
        DONE = "done", "Given back"
        REFUSED = "refused", "Refused by the provider"
        REPLACED = "replaced", "Refused, and tried again as another"

    #: Money that is back, or on its way: what a refund in one of these is for is not refunded again.
    GIVING = (State.PENDING, State.DONE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    shipping = models.DecimalField(
        max_digits=SUM_DIGITS,
        decimal_places=2,
        default=0,
        help_text="The part of it that is for delivery.",
    )
    currency = models.CharField(max_length=3)
    is_for_goods = models.BooleanField(
        default=True,
        help_text="Whether it gives back what paid the order; not a payment that came besides, or too late.",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=150)
    actor = models.CharField(max_length=254, blank=True)
    due_at = models.DateTimeField(db_default=Now(), help_text="When the provider is asked next.")
    tries = models.PositiveSmallIntegerField(
        default=0, help_text="Calls that the provider did not answer."
    )
    error = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    credit_number = models.PositiveIntegerField(
        null=True, blank=True, help_text="Of its credit note, after the number of the invoice."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(shipping__gte=0) & Q(shipping__lte=F("amount")),
                name="refund_shipping_within_amount",
            ),
            models.UniqueConstraint(
                fields=["order", "credit_number"], name="refund_credit_number_once_per_order"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="refund_pending", condition=Q(state="pending"))
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.state}"


class RefundLine(models.Model):
    """Units that a refund is for; `is_restocked` when they went back on the shelf with it."""

    refund = models.ForeignKey(Refund, on_delete=models.CASCADE, related_name="lines")
    line_item = models.ForeignKey(LineItem, on_delete=models.PROTECT, related_name="refund_lines")
    quantity = models.PositiveIntegerField()
    amount = models.DecimalField(
        max_digits=SUM_DIGITS, decimal_places=2, default=0, help_text="What these units cost."
    )
    is_restocked = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["refund", "line_item"], name="refund_line_once_per_refund"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="refund_line_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_item.name}"


class Return(models.Model):
    """A shopper wants to send things back: asked for, agreed to, received, or refused."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("Asked for")
        APPROVED = "approved", _("Agreed: on its way back")
        RECEIVED = "received", _("Received")
        REFUSED = "refused", _("Refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="returns")
    state = models.CharField(max_length=10, choices=State.choices, default=State.REQUESTED)
    reason = models.CharField(max_length=500)
    answer = models.CharField(max_length=300, blank=True, help_text="Why it was refused.")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, blank=True)
    requested_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                name="return_one_open_per_order",
                condition=Q(state__in=["requested", "approved"]),
            )
        ]

    def __str__(self) -> str:
        return f"Return of {self.order}, {self.get_state_display()}"


class ReturnLine(models.Model):
    parcel = models.ForeignKey(Return, on_delete=models.CASCADE, related_name="lines")
    line_item = models.ForeignKey(LineItem, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField()
    refunded_before = models.PositiveIntegerField(
        default=0, help_text="Units of the line that were refunded when the return was asked for."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["parcel", "line_item"], name="return_line_once_per_return"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="return_line_quantity_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line_item.name}"
