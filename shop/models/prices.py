"""What things cost, and have cost."""

from django.db import models

from shop.models.catalogue import Variant
from shop.money import PRICE_DIGITS


class PriceRecord(models.Model):
    """A price of a variant from one moment on; a trigger writes it with every change of the price."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="price_records")
    price = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=2)
    valid_from = models.DateTimeField()

    class Meta:
        ordering = ["-valid_from", "-id"]
        indexes = [models.Index(fields=["variant", "valid_from"], name="price_record_by_variant")]

    def __str__(self) -> str:
        return f"{self.variant}: {self.price} since {self.valid_from:%Y-%m-%d %H:%M}"
