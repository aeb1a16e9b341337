"""Who wants to know when something is back, and what was held for them when it was."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from inventory.models import Reservation
from shop.models.accounts import User
from shop.models.catalogue import Variant
from shop.models.orders import Order


class StockAlert(models.Model):
    """An address that wants to know when a variant is back. It counts from `confirmed_at` on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="alerts")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="stock_alerts"
    )
    email = models.EmailField()
    language = models.CharField(
        max_length=10, blank=True, editable=False, help_text="What they asked in."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    confirmed_at = models.DateTimeField(
        null=True, blank=True, help_text="Accounts at once; guests when they say so from a mail."
    )
    ordered_at = models.DateTimeField(
        null=True, blank=True, help_text="When what was held for them was ordered: then it is over."
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "email"],
                condition=Q(ordered_at=None),
                name="stock_alert_once_per_address",
            )
        ]
        indexes = [
            models.Index(
                fields=["variant", "confirmed_at"],
                name="stock_alert_waiting",
                condition=Q(ordered_at=None, confirmed_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} waits for {self.variant}"


class StockOffer(models.Model):
    """A unit that was held for somebody when units came in: once for each person and arrival."""

    id = models.UUIDField(primary_key=True, editable=False)
    alert = models.ForeignKey(StockAlert, on_delete=models.CASCADE, related_name="offers")
    arrival = models.BigIntegerField(
        help_text="The newest movement that brought units in; 0 when there was none."
    )
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, related_name="stock_offer"
    )
    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="stock_offer"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "arrival"], name="stock_offer_once_per_arrival"
            )
        ]

    def __str__(self) -> str:
        return f"A unit for {self.alert}"
