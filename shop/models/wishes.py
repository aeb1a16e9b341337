"""What somebody would like to have, some time."""

from django.db import models

from shop.models.accounts import User
from shop.models.catalogue import Product


class Wish(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="wishes")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="wishes")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-added_at", "-id"]
        verbose_name_plural = "wishes"
        constraints = [
            models.UniqueConstraint(fields=["user", "product"], name="wish_product_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} would like {self.product}"
