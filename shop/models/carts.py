"""What a shopper means to buy. A cart promises nothing; checkout does."""

import uuid

from django.db import models
from django.db.models import Q

from shop.models.accounts import User
from shop.models.catalogue import Variant
from shop.money import PRICE_DIGITS


class Cart(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="cart"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Cart of {self.user or 'a guest'}"


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="+")
    quantity = models.PositiveSmallIntegerField(default=1)
    is_saved = models.BooleanField(
        default=False, help_text="Put aside for later: not ordered with the rest."
    )
    known_price = models.DecimalField(
        max_digits=PRICE_DIGITS,
        decimal_places=2,
        null=True,
        editable=False,
        help_text="The price that the shopper was told last.",
    )
    known_units = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="How many of them could be had, as they were told."
    )
    known_for_sale = models.BooleanField(
        default=True, editable=False, help_text="Whether it was for sale, as they were told."
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["added_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "variant"], name="cart_line_variant_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="cart_line_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant}"
