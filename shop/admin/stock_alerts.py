"""Who waits for what, and what was held for whom; to look at."""

from django.contrib import admin

from shop.admin.payments import ReadOnlyAdmin
from shop.models import StockAlert, StockOffer


class StockOfferInline(admin.TabularInline):
    model = StockOffer
    fields = readonly_fields = ("created_at", "reservation", "order")
    extra = 0
    can_delete = False
    verbose_name_plural = "what was held for them"

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(StockAlert)
class StockAlertAdmin(ReadOnlyAdmin):
    list_display = ["variant", "email", "created_at", "confirmed_at", "ordered_at"]
    list_filter = ["created_at", "confirmed_at", "ordered_at"]
    list_select_related = ["variant__product"]
    search_fields = ["email", "variant__sku", "variant__product__name"]
    search_help_text = "An address, a SKU or a product."
    inlines = [StockOfferInline]
