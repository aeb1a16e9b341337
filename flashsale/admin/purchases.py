"""Purchases, to look at: what becomes of them is decided by shoppers and workers."""

from django.contrib import admin
from django.http import HttpRequest

from flashsale.models import Purchase
from flashsale.purchases import state_of


@admin.register(Purchase)
class PurchaseAdmin(admin.ModelAdmin):
    list_display = ["claimed_at", "item", "quantity", "unit_price", "shopper", "state", "order"]
    list_display_links = ["claimed_at"]
    list_filter = [("sale", admin.RelatedOnlyFieldListFilter), "refusal", "claimed_at"]
    list_select_related = [
        "sale",
        "item__sale",
        "item__variant__product",
        "shopper",
        "reservation",
        "order",
    ]
    list_per_page = 50
    search_fields = ["shopper__email", "order__reference"]
    search_help_text = "A shopper's email address, or an order's reference."
    fields = [
        "id",
        "sale",
        "item",
        "shopper",
        "quantity",
        "unit_price",
        "state",
        "refusal",
        "hold_ends",
        "order",
        "claimed_at",
        "settled_at",
    ]
    readonly_fields = ["state", "hold_ends"]

    @admin.display(description="state")
    def state(self, purchase: Purchase) -> str:
        return state_of(purchase).capitalize()

    @admin.display(description="hold ends", empty_value="–")
    def hold_ends(self, purchase: Purchase) -> object:
        return purchase.reservation and purchase.reservation.expires_at

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Purchase | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Purchase | None = None) -> bool:
        return False
