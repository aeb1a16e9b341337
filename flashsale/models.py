"""Tables of the front door. What happens in Redis is rebuilt from these."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from flashsale import looks
from inventory.models import Reservation, Stock
from shop import pictures
from shop.models import Order, Variant
from shop.money import PRICE_DIGITS


class Sale(models.Model):
    """A flash sale. Its phase follows from `status` and the clock; see `flashsale.sales.phase`."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        PAUSED = "paused", "Paused"
        ENDED = "ended", "Ended"
        CANCELLED = "cancelled", "Cancelled"

    class QueueMode(models.TextChoices):
        DRAW = "draw", "Draw among those who come early, then first come"
        FIRST_COME = "first_come", "First come, first served"
        NONE = "none", "No line"

    class Strategy(models.TextChoices):
        REDIS = "redis", "Redis: a gate in memory, settled in batches"
        LOCK = "lock", "PostgreSQL, waiting in turn (SELECT ... FOR UPDATE)"
        VERSION = "version", "PostgreSQL, trying again (compare and set)"

    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    tagline = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    lobby_opens_at = models.DateTimeField("lobby opens")
    opens_at = models.DateTimeField("opens")
    closes_at = models.DateTimeField("closes")
    queue_mode = models.CharField(
        "line", max_length=10, choices=QueueMode.choices, default=QueueMode.DRAW
    )
    limit_per_shopper = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Units per shopper over the whole sale.",
    )
    hold_seconds = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(30), MaxValueValidator(3600)],
        help_text="How long a unit is held for its shopper to pay.",
    )
    hold_extension_seconds = models.PositiveIntegerField(
        "seconds more, once",
        default=300,
        validators=[MaxValueValidator(3600)],
        help_text="How much longer a shopper may have a unit held who asks for it, once. 0: not at all. "
        "People who need more time need this (WCAG 2.2.1).",
    )
    admission_cap = models.PositiveIntegerField(
        default=500,
        validators=[MinValueValidator(1)],
        help_text="Shoppers let in from the line at one time.",
    )
    admissions_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Shoppers let in per minute; empty: as many as the cap has room for.",
    )
    admission_seconds = models.PositiveIntegerField(
        default=180,
        validators=[MinValueValidator(30), MaxValueValidator(3600)],
        help_text="How long somebody who was let in may take to choose.",
    )
    strategy = models.CharField(
        "stock strategy",
        max_length=7,
        choices=Strategy.choices,
        default=Strategy.REDIS,
        help_text="How a click on Buy takes a unit. May be changed while the sale runs.",
    )
    fallback = models.CharField(
        "without Redis",
        max_length=7,
        choices=Strategy.choices[1:],
        default=Strategy.LOCK,
        help_text="What a sale on Redis does while Redis is away.",
    )
    line_text = models.TextField(
        "text on the page of the line",
        max_length=500,
        blank=True,
        help_text="Shown to those who wait, as you write it. Plain text, up to 500 signs.",
    )
    line_logo = models.ImageField(
        "logo on the page of the line",
        upload_to="sales/",
        blank=True,
        width_field="line_logo_width",
        height_field="line_logo_height",
        help_text="A picture such as products have, shown three lines high.",
    )
    line_logo_width = models.PositiveIntegerField(null=True, editable=False)
    line_logo_height = models.PositiveIntegerField(null=True, editable=False)
    line_logo_alt = models.CharField(
        "words for those who cannot see the logo",
        max_length=200,
        blank=True,
        help_text="Empty: it says nothing that the name of the sale does not say.",
    )
    line_colour = models.CharField(
        "colour on the page of the line",
        max_length=7,
        blank=True,
        validators=[RegexValidator(looks.COLOUR, "Write it as # and six digits, such as #2e7d5b.")],
        help_text="Of its buttons, such as #2e7d5b. It must stand out from the light and the dark page.",
    )
    seed = models.CharField(max_length=64, blank=True, editable=False)
    seed_commitment = models.CharField(max_length=64, blank=True, editable=False)
    is_rehearsal = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-opens_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(lobby_opens_at__lte=F("opens_at")) & Q(opens_at__lt=F("closes_at")),
                name="sale_times_run_forward",
                violation_error_message="A sale's lobby opens first, then the sale, and then it closes.",
            ),
            models.CheckConstraint(
                condition=Q(limit_per_shopper__gte=1), name="sale_limit_at_least_one"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        if self.line_logo:
            pictures.make_renditions(file=self.line_logo)

    def get_absolute_url(self) -> str:
        return reverse("flashsale:sale", args=[self.slug])


class SaleItem(models.Model):
    """A variant on sale at its sale price, with units of its own once the sale is scheduled."""

    sale = models.ForeignKey(Sale, on_delete=models.CASCADE, related_name="items")
    variant = models.ForeignKey(Variant, on_delete=models.PROTECT, related_name="+")
    price = models.DecimalField(
        max_digits=PRICE_DIGITS,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text="Tax included.",
    )
    units = models.PositiveIntegerField(
        validators=[MinValueValidator(1)],
        help_text="Units ring-fenced for the sale when it is scheduled.",
    )
    stock = models.OneToOneField(
        Stock, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["sale", "variant"], name="sale_item_variant_unique"),
            models.CheckConstraint(condition=Q(price__gte=0), name="sale_item_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.variant} in {self.sale}"


class Purchase(models.Model):
    """A settled claim: what became of one click on Buy. Its state is derived; see `purchases.status`."""

    class Refusal(models.TextChoices):
        SOLD_OUT = "sold_out", "Sold out"
        LIMIT_REACHED = "limit_reached", "Limit reached"
        NOT_OPEN = "not_open", "Not open"

    id = models.UUIDField(primary_key=True, editable=False)
    sale = models.ForeignKey(Sale, on_delete=models.PROTECT, related_name="purchases")
    item = models.ForeignKey(SaleItem, on_delete=models.PROTECT, related_name="purchases")
    shopper = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        to_field="shopper_id",
        on_delete=models.PROTECT,
        related_name="purchases",
    )
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=PRICE_DIGITS, decimal_places=2)
    refusal = models.CharField(max_length=14, choices=Refusal.choices, blank=True)
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, null=True, related_name="purchase"
    )
    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase"
    )
    claimed_at = models.DateTimeField(help_text="When the shopper clicked Buy.")
    settled_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-claimed_at"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="purchase_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item}"

    def get_absolute_url(self) -> str:
        return reverse("flashsale:purchase", args=[self.pk])


class SetAsideClaim(models.Model):
    """A claim that could not be decided, kept for staff to look at. Its units are free again."""

    class Resolution(models.TextChoices):
        OPEN = "open", "Waits for somebody"
        RETRIED = "retried", "Tried again"
        DISMISSED = "dismissed", "Dismissed"

    sale = models.ForeignKey(Sale, on_delete=models.PROTECT, related_name="set_aside_claims")
    name = models.CharField(
        max_length=64, help_text="The purchase's id; of what could not be read, the stream's."
    )
    shopper = models.CharField(max_length=64, blank=True)
    content = models.JSONField(help_text="The claim as it was read.")
    reason = models.CharField(max_length=200)
    resolution = models.CharField(max_length=9, choices=Resolution.choices, default=Resolution.OPEN)
    resolved_by = models.CharField(max_length=254, blank=True)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "claim set aside"
        verbose_name_plural = "claims set aside"
        constraints = [
            models.UniqueConstraint(fields=["sale", "name"], name="set_aside_claim_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class LineState(models.Model):
    """What the controller must not lose when Redis does: how far the line was served."""

    sale = models.OneToOneField(Sale, on_delete=models.CASCADE, related_name="line_state")
    entrants = models.PositiveIntegerField(default=0, help_text="The most counted in the lobby.")
    draw_size = models.PositiveIntegerField(null=True, help_text="Entrants of the draw, once open.")
    served = models.FloatField(default=0, help_text="The serving number at `updated_at`.")
    last_number = models.PositiveIntegerField(default=0, help_text="The last number given out.")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.sale}: serving {self.served:.0f}"


class LineAlert(models.Model):
    """Somebody in line asked for a mail when it is their turn; see `flashsale.line_alerts`."""

    sale = models.ForeignKey(Sale, on_delete=models.CASCADE, related_name="line_alerts")
    shopper = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        to_field="shopper_id",
        on_delete=models.CASCADE,
        related_name="line_alerts",
    )
    number = models.PositiveIntegerField(
        null=True,
        help_text="The number that their ticket proves; none: they take part in the draw.",
    )
    place = models.PositiveIntegerField(null=True, help_text="Their place, once the draw is made.")
    asked_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["sale", "shopper"], name="line_alert_once_per_shopper"),
        ]
        indexes = [
            models.Index(
                fields=["sale", "place"], condition=Q(sent_at=None), name="line_alert_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shopper} in the line of {self.sale}"


class Drift(models.Model):
    """An episode in which the gate of one item did not follow PostgreSQL; see `flashsale.drift`."""

    sale = models.ForeignKey(Sale, on_delete=models.PROTECT, related_name="drifts")
    item = models.ForeignKey(SaleItem, on_delete=models.PROTECT, related_name="drifts")
    began_at = models.DateTimeField("from")
    ended_at = models.DateTimeField("until", null=True)
    gate = models.IntegerField(help_text="Units that could be claimed in Redis, when it began.")
    available = models.IntegerField(help_text="Units that PostgreSQL had free.")
    queued = models.IntegerField(help_text="Units that waited in the purchase queue.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "episode of drift"
        verbose_name_plural = "episodes of drift"
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(ended_at=None), name="drift_one_open_episode_per_item"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item}: {self.drift:+}"

    @property
    def drift(self) -> int:
        """Units by which the gate was too high."""
        return self.gate - max(0, self.available - self.queued)


class LoadLevel(models.Model):
    """A change of the load-shedding level, by a person. Rows are kept: they are the record."""

    class Level(models.TextChoices):
        NORMAL = "normal", "Normal: everything on"
        BROWNOUT = "brownout", "Brownout: optional features off"

    level = models.CharField(max_length=10, choices=Level.choices)
    reason = models.CharField(max_length=200)
    until = models.DateTimeField(null=True, blank=True, help_text="Then back to normal by itself.")
    set_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_level_display()} ({self.reason})"
