"""What belongs to an order, on its page in the admin: to be read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from shop.models import LineItem, OrderEvent, PaymentIntent, Refund, Return


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LineItemInline(ReadOnlyInline):
    model = LineItem
    fields = readonly_fields = (
        "sku",
        "name",
        "quantity",
        "released",
        "returned",
        "unit_price",
        "discount",
        "tax_percent",
        "tax",
        "units",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[LineItem]:
        return super().get_queryset(request).select_related("reservation")

    @admin.display(description="units")
    def units(self, item: LineItem) -> str:
        return item.reservation.get_state_display()


class PaymentIntentInline(ReadOnlyInline):
    model = PaymentIntent
    fields = readonly_fields = (
        "created_at",
        "gateway",
        "reference",
        "amount",
        "currency",
        "state",
        "given_back",
        "decline_reason",
    )
    show_change_link = True


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = (
        "created_at",
        "amount",
        "state",
        "reason",
        "actor",
        "units",
        "error",
    )
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return super().get_queryset(request).prefetch_related("lines__line_item")

    @admin.display(description="units")
    def units(self, refund: Refund) -> str:
        return ", ".join(
            f"{line}{', restocked' if line.is_restocked else ''}" for line in refund.lines.all()
        )


class ReturnInline(ReadOnlyInline):
    model = Return
    fields = readonly_fields = ("requested_at", "state", "units", "reason", "answer", "settled_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Return]:
        return super().get_queryset(request).prefetch_related("lines__line_item")

    @admin.display(description="units")
    def units(self, parcel: Return) -> str:
        return ", ".join(str(line) for line in parcel.lines.all())


class OrderEventInline(ReadOnlyInline):
    model = OrderEvent
    fields = readonly_fields = ("created_at", "kind", "message", "actor", "is_internal")
    verbose_name_plural = "timeline"
