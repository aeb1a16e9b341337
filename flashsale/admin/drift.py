"""Episodes of drift, to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from flashsale.models import Drift
from inventory.admin.read_only import ReadOnlyAdmin, told


class OpenFilter(admin.SimpleListFilter):
    title = "episode"
    parameter_name = "episode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Drifts now"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Drift]) -> QuerySet[Drift]:
        if self.value() in ("now", "over"):
            return queryset.filter(ended_at__isnull=self.value() == "now")
        return queryset


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    list_display = ["began", "ended", "item", "too_high"]
    list_filter = [OpenFilter, ("sale", admin.RelatedOnlyFieldListFilter), "began_at"]
    list_select_related = ["item__sale", "item__variant__product"]
    search_fields = ["sale__name", "sale__slug", "item__variant__sku"]
    search_help_text = "A sale, or a SKU."
    fields = ["sale", "item", "began", "ended", "too_high", "gate", "available", "queued"]
    readonly_fields = ["began", "ended", "too_high"]

    @admin.display(description="from", ordering="began_at")
    def began(self, row: Drift) -> str:
        return told(row.began_at)

    @admin.display(description="until", ordering="ended_at", empty_value="it drifts now")
    def ended(self, row: Drift) -> str | None:
        return told(row.ended_at) if row.ended_at else None

    @admin.display(description="too high by")
    def too_high(self, row: Drift) -> str:
        return f"{row.drift:+}"
