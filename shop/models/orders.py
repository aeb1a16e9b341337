"""Orders: what was placed, what became of it, and when."""

import secrets
import uuid
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from inventory.models import Reservation
from shop.models.accounts import PostalAddress, User
from shop.models.catalogue import ProductImage, Variant
from shop.money import PRICE_DIGITS, SUM_DIGITS, tax_on

#: Letters and digits that are not mistaken for one another on paper or on the telephone.
REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_reference() -> str:
    """An order reference such as `K7MX-4QPD-9TRW`: 12 of 31 signs, about 59 bits, not guessable."""
    signs = [secrets.choice(REFERENCE_ALPHABET) for _ in range(12)]
    return "-".join("".join(signs[start : start + 4]) for start in (0, 4, 8))


class Order(PostalAddress):
    """A placed order. Its address is a copy: the address book may change afterwards."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting for payment")
        PAID = "paid", _("Paid")
        FULFILLED = "fulfilled", _("Shipped")
        CANCELLED = "cancelled", _("Cancelled")
        EXPIRED = "expired", _("Expired")
        REFUNDED = "refunded", _("Refunded")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=14, unique=True, default=new_reference, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )
    email = models.EmailField()
    key = models.UUIDField(
        unique=True,
        editable=False,
        help_text="The attempt that placed it: repeating it changes nothing.",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    currency = models.CharField(max_length=3)
    subtotal = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    discount = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, default=0)
    discount_code = models.CharField(max_length=32, blank=True)
    shipping = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, default=0)
    shipping_method = models.CharField(max_length=80, blank=True)
    tax = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, default=0)
    tax_name = models.CharField(max_length=20, blank=True)
    tax_is_included = models.BooleanField(
        default=True, help_text="Whether the prices contain the tax, or it comes on top."
    )
    total = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    language = models.CharField(
        max_length=10, blank=True, help_text="What its mails are written in; empty: the shop's own."
    )
    note = models.TextField(max_length=500, blank=True, help_text="What the shopper asked for.")
    terms_accepted_at = models.DateTimeField(null=True, blank=True)
    extension_seconds = models.PositiveIntegerField(
        default=0, help_text="How much longer the shopper may have its units held, once."
    )
    carrier = models.CharField(max_length=60, blank=True)
    tracking_number = models.CharField(max_length=80, blank=True)
    tracking_url = models.URLField(blank=True)
    placed_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(help_text="When the reservations of an unpaid order end.")
    paid_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-placed_at"]
        permissions = [("refund_order", "Can refund and cancel paid orders")]
        constraints = [
            models.CheckConstraint(
                condition=Q(subtotal__gte=0) & Q(shipping__gte=0) & Q(total__gte=0),
                name="order_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(tax__gte=0) & Q(discount__gte=0) & Q(discount__lte=F("subtotal")),
                name="order_discount_and_tax_within_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], name="order_pending_expiry", condition=Q(state="pending")
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("shop:order", args=[self.reference])

    @property
    def delivery_tax(self) -> Decimal:
        """What of the tax is not the goods': delivery's."""
        return self.tax - sum((item.tax for item in self.line_items.all()), Decimal(0))

    @property
    def tax_percent(self) -> Decimal | None:
        """The rate, where one alone was applied."""
        percents = {item.tax_percent for item in self.line_items.all()}
        if len(percents) != 1:
            return None
        percent = percents.pop()
        on_delivery = tax_on(self.shipping, percent, is_included=self.tax_is_included)
        return percent if on_delivery == self.delivery_tax else None


class LineItem(models.Model):
    """One line of an order, with the name and price of the moment it was placed."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="line_items")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="+")
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, related_name="line_item"
    )
    sku = models.CharField("SKU", max_length=64)
    name = models.CharField(max_length=220)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=2)
    discount = models.DecimalField(
        max_digits=SUM_DIGITS,
        decimal_places=2,
        default=0,
        help_text="Its share of the order's discount.",
    )
    tax_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    tax = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, default=0)
    released = models.PositiveIntegerField(
        default=0, help_text="Units that were given back before the order was shipped."
    )
    returned = models.PositiveIntegerField(
        default=0, help_text="Units that came back after the order was shipped."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="line_item_quantity_positive"),
            models.CheckConstraint(
                condition=Q(released__lte=F("quantity") - F("returned")),
                name="line_item_units_come_back_once",
            ),
            models.CheckConstraint(
                condition=Q(discount__gte=0) & Q(tax__gte=0),
                name="line_item_discount_and_tax_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0), name="line_item_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity

    @property
    def image(self) -> ProductImage | None:
        return self.variant.image


class OrderEvent(models.Model):
    """A line of an order's timeline: what happened, and by whom."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=40)
    message = models.CharField(max_length=300, help_text="In English, as staff read it.")
    text = models.CharField(
        max_length=300, blank=True, help_text="What is translated, where there are values in it."
    )
    values = models.JSONField(default=dict, blank=True)
    actor = models.CharField(
        max_length=254, blank=True, help_text="Empty when it was the shop itself."
    )
    is_internal = models.BooleanField(default=False, help_text="Shown to staff alone.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.message
