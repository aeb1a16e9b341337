"""What an order costs besides its goods: delivery, tax, and discount codes."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Upper
from django_countries.fields import CountryField

from shop.models.catalogue import TaxClass
from shop.models.orders import Order
from shop.money import PRICE_DIGITS, SUM_DIGITS


class TaxRate(models.Model):
    """The tax on what goes to a country. Countries without a row are not taxed."""

    country = CountryField()
    tax_class = models.CharField(max_length=8, choices=TaxClass.choices, default=TaxClass.STANDARD)
    name = models.CharField(max_length=20, help_text="As it stands on an invoice: VAT, GST.")
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    is_included = models.BooleanField(
        default=True, help_text="Whether prices contain it; otherwise it comes on top."
    )

    class Meta:
        ordering = ["country", "tax_class"]
        constraints = [
            models.UniqueConstraint(
                fields=["country", "tax_class"],
                name="tax_rate_one_per_country_and_class",
                violation_error_message="This country has a rate of this class already: change that one.",
            ),
            models.CheckConstraint(
                condition=Q(percent__gte=0) & Q(percent__lte=100), name="tax_rate_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.name} {self.percent} %"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Prices contain all of a country's taxes or none: its other rates follow the one that is saved."""
        with transaction.atomic():
            super().save(*args, **kwargs)
            self.differing.update(is_included=self.is_included)

    @property
    def differing(self) -> models.QuerySet["TaxRate"]:
        """The country's other rates that are (still) on the other side."""
        others = TaxRate.objects.filter(country=self.country).exclude(pk=self.pk)
        return others.exclude(is_included=self.is_included)


class ShippingMethod(models.Model):
    """A way to send an order, with its rates."""

    name = models.CharField(max_length=80)
    countries = CountryField(multiple=True, blank=True, help_text="Empty: everywhere.")
    min_days = models.PositiveSmallIntegerField("days at least", default=2)
    max_days = models.PositiveSmallIntegerField("days at most", default=4)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(min_days__lte=F("max_days")),
                name="shipping_method_days_in_order",
                violation_error_message="At least cannot be more days than at most.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ShippingRate(models.Model):
    """What a method costs for an order within these limits; the cheapest rate that fits counts."""

    method = models.ForeignKey(ShippingMethod, on_delete=models.CASCADE, related_name="rates")
    max_weight_grams = models.PositiveIntegerField(
        "up to this weight (g)", null=True, blank=True, help_text="Empty: any weight."
    )
    min_subtotal = models.DecimalField(
        "for goods of at least", max_digits=SUM_DIGITS, decimal_places=2, default=0
    )
    price = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=2, validators=[MinValueValidator(0)]
    )

    class Meta:
        ordering = ["max_weight_grams", "min_subtotal"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price__gte=0) & Q(min_subtotal__gte=0),
                name="shipping_rate_not_negative",
            )
        ]

    def __str__(self) -> str:
        return f"{self.method}: {self.price}"


class DiscountCode(models.Model):
    """A word that makes an order cheaper. `uses` counts orders that have it and were not given up."""

    class Kind(models.TextChoices):
        PERCENT = "percent", "Percent off"
        AMOUNT = "amount", "Amount off"
        FREE_SHIPPING = "shipping", "Free delivery"

    code = models.CharField(
        max_length=32,
        validators=[RegexValidator(r"^[A-Za-z0-9-]+$", "Use letters, digits and hyphens.")],
        help_text="Shoppers may type it in any case.",
    )
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PERCENT)
    value = models.DecimalField(
        max_digits=PRICE_DIGITS,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Percent, or an amount in the shop's currency; nothing for free delivery.",
    )
    min_subtotal = models.DecimalField(
        "for goods of at least", max_digits=SUM_DIGITS, decimal_places=2, default=0
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField("uses in all", null=True, blank=True)
    max_uses_per_customer = models.PositiveIntegerField(
        "uses per customer", null=True, blank=True, help_text="Counted by email address."
    )
    includes_sale_items = models.BooleanField(
        default=False, help_text="Whether it counts for flash sales and reduced goods, too."
    )
    is_active = models.BooleanField(default=True)
    uses = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                Upper("code"),
                name="discount_code_unique_whatever_its_case",
                violation_error_message="There is a code of this name already.",
            ),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(uses__lte=F("max_uses")),
                name="discount_code_uses_within_limit",
                violation_error_message="It was used more often than that already.",
            ),
            models.CheckConstraint(
                condition=Q(value__gte=0) & (~Q(kind="percent") | Q(value__lte=100)),
                name="discount_code_value_within_reason",
                violation_error_message="A discount is at most 100 percent.",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.code = self.code.upper()
        super().save(*args, **kwargs)

    def clean(self) -> None:
        errors = {}
        if self.kind == self.Kind.FREE_SHIPPING and self.value:
            errors["value"] = "Free delivery has no value: leave it at 0."
        if self.kind != self.Kind.FREE_SHIPPING and self.value is not None and not self.value:
            errors["value"] = "How much does it take off? Say more than 0."
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            errors["ends_at"] = "It would end before it starts."
        if self.max_uses is not None and self.max_uses < self.uses:
            errors["max_uses"] = f"It was used {self.uses} times already."
        if errors:
            raise ValidationError(errors)


class DiscountUse(models.Model):
    """One order that has a code. Given back when the order is given up before it was paid."""

    code = models.ForeignKey(DiscountCode, on_delete=models.PROTECT, related_name="used_by")
    order = models.OneToOneField(Order, on_delete=models.CASCADE, related_name="discount_use")
    email = models.EmailField()
    is_given_back = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["code", "email"], name="discount_use_by_customer")]

    def __str__(self) -> str:
        return f"{self.code} for {self.order}"
