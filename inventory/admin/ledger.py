"""Movements and reservations, to look at."""

from django.contrib import admin

from inventory.admin.pools import PoolKindOfStockFilter
from inventory.admin.read_only import ReadOnlyAdmin
from inventory.models import Reservation, StockMovement


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnlyAdmin):
    list_display = ["id", "created_at", "stock", "kind", "on_hand", "allocated", "reason", "who"]
    list_display_links = ["id", "created_at"]
    list_filter = ["kind", PoolKindOfStockFilter, "created_at"]
    list_select_related = ["stock"]
    search_fields = ["stock__sku", "stock__pool", "reason", "actor"]
    search_help_text = "A SKU, a pool, a reason, or who did it."
    fields = [
        "created_at",
        "stock",
        "kind",
        "on_hand",
        "allocated",
        "reservations",
        "reason",
        "who",
    ]
    readonly_fields = ["on_hand", "allocated", "who"]

    @admin.display(description="on hand", ordering="on_hand_change")
    def on_hand(self, movement: StockMovement) -> str:
        return _signed(movement.on_hand_change)

    @admin.display(description="allocated", ordering="allocated_change")
    def allocated(self, movement: StockMovement) -> str:
        return _signed(movement.allocated_change)

    @admin.display(description="by", ordering="actor")
    def who(self, movement: StockMovement) -> str:
        return movement.actor or "the shop"


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "stock", "quantity", "state", "expires_at", "holder", "scope"]
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
        "expires_at",
        "created_at",
        "settled_at",
    ]


def _signed(change: int) -> str:
    return f"{change:+}" if change else "–"
