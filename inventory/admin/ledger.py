"""Movements and reservations, to look at."""

from django.contrib import admin

from inventory.admin.pools import PoolKindOfStockFilter
from inventory.admin.read_only import ReadOnlyAdmin, told
from inventory.models import Reservation, StockMovement


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ["at", "stock", "kind", "change", "why"]
    ordering = ["-id"]
    list_filter = ["kind", PoolKindOfStockFilter, "created_at"]
    list_select_related = ["stock"]
    search_fields = ["stock__sku", "stock__pool", "reason", "actor"]
    search_help_text = "A SKU, a pool, a reason, or who did it."
    fields = [
        "at",
        "stock",
        "kind",
        "change",
        "reservations",
        "reason",
        "who",
    ]
    readonly_fields = ["at", "change", "who"]

    @admin.display(description="at", ordering="id")
    def at(self, movement: StockMovement) -> str:
        return told(movement.created_at)

    @admin.display(description="why, and by whom")
    def why(self, movement: StockMovement) -> str:
        return ", ".join(filter(None, (movement.reason, movement.actor))) or "–"

    @admin.display(description="change")
    def change(self, movement: StockMovement) -> str:
        """What is not nought of both counters."""
        changes = (movement.on_hand_change, "on hand"), (movement.allocated_change, "allocated")
        return ", ".join(f"{units:+} {counter}" for units, counter in changes if units) or "none"

    @admin.display(description="by")
    def who(self, movement: StockMovement) -> str:
        return movement.actor or "the shop"


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ["at", "stock", "quantity", "state", "ends", "holder"]
    list_filter = ["state", PoolKindOfStockFilter, "created_at"]
    list_select_related = ["stock"]
    search_fields = ["stock__sku", "stock__pool", "holder", "key"]
    search_help_text = "A SKU, a pool, a holder, or the key that it was made for."
    fields = [
        "id",
        "key",
        "stock",
        "quantity",
        "holder",
        "scope",
        "state",
        "ends",
        "at",
        "settled",
    ]
    readonly_fields = ["at", "ends", "settled"]

    @admin.display(description="made", ordering="created_at")
    def at(self, reservation: Reservation) -> str:
        return told(reservation.created_at)

    @admin.display(description="hold ends", ordering="expires_at")
    def ends(self, reservation: Reservation) -> str:
        return told(reservation.expires_at)

    @admin.display(description="settled", empty_value="–")
    def settled(self, reservation: Reservation) -> str | None:
        return told(reservation.settled_at) if reservation.settled_at else None
