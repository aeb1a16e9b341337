"""Tables of the stockroom. Their constraints are the last guard; they are written by this room alone."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone


class Stock(models.Model):
    """Units of one SKU in one pool: `main`, or a pool ring-fenced for somebody else's purpose."""

    MAIN = "main"

    sku = models.CharField("SKU", max_length=64)
    pool = models.CharField(max_length=64, default=MAIN)
    on_hand = models.PositiveIntegerField(default=0, help_text="Units in the building.")
    allocated = models.PositiveIntegerField(
        default=0, help_text="Units promised: held, or sold and not shipped."
    )
    version = models.PositiveBigIntegerField(default=0, editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "stock"
        ordering = ["sku", "pool"]
        constraints = [
            models.UniqueConstraint(fields=["sku", "pool"], name="stock_sku_pool_unique"),
            models.CheckConstraint(
                condition=Q(allocated__gte=0) & Q(allocated__lte=F("on_hand")),
                name="stock_allocated_within_on_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} ({self.pool})"

    @property
    def available(self) -> int:
        return self.on_hand - self.allocated


class Reservation(models.Model):
    """Units of one stock row promised to a holder, under the key that the holder chose."""

    class State(models.TextChoices):
        HELD = "held", "Held"
        CONFIRMED = "confirmed", "Confirmed"
        CONSUMED = "consumed", "Consumed"
        RELEASED = "released", "Released"
        EXPIRED = "expired", "Expired"

    #: States whose units count in `Stock.allocated`.
    ALLOCATING = (State.HELD, State.CONFIRMED)
    #: States whose units count against the holder's limit: consumed units were bought, too.
    COUNTED = (State.HELD, State.CONFIRMED, State.CONSUMED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.UUIDField(help_text="The claim, cart or order that this was made for.")
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="reservations")
    quantity = models.PositiveIntegerField()
    holder = models.CharField(max_length=64)
    scope = models.CharField(
        max_length=64, blank=True, help_text="Where a limit per holder counts."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.HELD)
    expires_at = models.DateTimeField(help_text="A held reservation past this time is dead.")
    extended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was given more time; once."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["key", "stock"], name="reservation_key_stock_unique"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="reservation_quantity_positive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], name="reservation_held_expiry", condition=Q(state="held")
            ),
            models.Index(
                fields=["expires_at"], name="reservation_expired", condition=Q(state="expired")
            ),
            models.Index(
                fields=["stock"],
                name="reservation_allocating",
                condition=Q(state__in=["held", "confirmed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.stock_id} {self.state}"


class Holding(models.Model):
    """Units that one holder has within one scope: the counter behind a limit per holder."""

    scope = models.CharField(max_length=64)
    holder = models.CharField(max_length=64)
    units = models.PositiveIntegerField()
    limit_units = models.PositiveIntegerField(help_text="The limit when a unit was last added.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "holder"], name="holding_scope_holder_unique"),
            models.CheckConstraint(
                condition=Q(units__gte=0) & Q(units__lte=F("limit_units")),
                name="holding_within_limit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder} holds {self.units} in {self.scope}"


class StockMovement(models.Model):
    """One change of a stock row's counters. Rows are only ever added; a trigger refuses the rest."""

    class Kind(models.TextChoices):
        RECEIVE = "receive", "Received"
        ADJUST = "adjust", "Adjusted"
        TRANSFER = "transfer", "Moved between pools"
        ALLOCATE = "allocate", "Allocated"
        CANCEL = "cancel", "Allocation cancelled"
        CONSUME = "consume", "Shipped"

    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    on_hand_change = models.IntegerField(default=0)
    allocated_change = models.IntegerField(default=0)
    reservations = models.PositiveIntegerField(default=0, help_text="How many this batch covers.")
    reason = models.CharField(max_length=200, blank=True)
    actor = models.CharField(
        max_length=254, blank=True, help_text="Who did it; empty when it was the shop itself."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.on_hand_change:+} / {self.allocated_change:+}"


class AuditRun(models.Model):
    """One run of the audit by itself: when, how long it took, and what did not agree."""

    started_at = models.DateTimeField()
    seconds = models.FloatField()
    checks = models.PositiveSmallIntegerField(help_text="How many were run.")
    breaches = models.JSONField(default=dict, blank=True, help_text="By the name of their check.")
    ok = models.BooleanField("all agree")

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit"
        constraints = [
            models.CheckConstraint(
                condition=Q(ok=True, breaches={}) | Q(ok=False) & ~Q(breaches={}),
                name="audit_run_ok_without_breaches",
            ),
        ]

    def __str__(self) -> str:
        return f"Audit of {timezone.localtime(self.started_at):%Y-%m-%d %H:%M %Z}"
