"""Episodes of drift, to look at."""

from django.contrib import admin

from flashsale.models import Drift
from inventory.admin.read_only import ReadOnlyAdmin


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    list_display = ["began_at", "ended", "item", "gate", "available", "queued", "too_high"]
    list_filter = [
        ("ended_at", admin.EmptyFieldListFilter),
        ("sale", admin.RelatedOnlyFieldListFilter),
        "began_at",
    ]
    list_select_related = ["item__sale", "item__variant__product"]
    search_fields = ["sale__name", "sale__slug", "item__variant__sku"]
    search_help_text = "A sale, or a SKU."
    fields = ["sale", "item", "began_at", "ended", "gate", "available", "queued", "too_high"]
    readonly_fields = ["ended", "too_high"]

    @admin.display(description="until", ordering="ended_at", empty_value="it drifts now")
    def ended(self, row: Drift) -> object:
        return row.ended_at

    @admin.display(description="gate too high by")
    def too_high(self, row: Drift) -> str:
        return f"{row.drift:+}"
