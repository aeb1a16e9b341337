"""Payments and what providers told us: read-only, with a way to try again what waits."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from shop import payment_events, payments
from shop.gateways import GatewayUnavailable, UnknownGateway
from shop.models import PaymentEvent, PaymentIntent


class ReadOnlyAdmin(admin.ModelAdmin):
    """Money moves by the rules in `payments` alone; who may refund may ask for another try."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.refund_order")


@admin.register(PaymentIntent)
class PaymentIntentAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "order", "gateway", "amount", "currency", "state", "updated_at"]
    list_filter = ["state", "gateway", "created_at"]
    list_select_related = ["order"]
    search_fields = ["id", "reference", "order__reference", "order__email"]
    actions = ["try_again"]

    @admin.action(description="Try again what waits", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[PaymentIntent]) -> None:
        for intent in queryset:
            try:
                state = payments.settle(intent).get_state_display()
            except (GatewayUnavailable, UnknownGateway) as error:
                self.message_user(request, f"Payment {intent.pk}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"Payment {intent.pk}: {state}", messages.SUCCESS)


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "gateway", "kind", "reference", "processed_at", "outcome"]
    list_filter = [
        "gateway",
        "kind",
        ("processed_at", admin.EmptyFieldListFilter),
        "outcome",
        "received_at",
    ]
    search_fields = ["event_id", "reference"]
    actions = ["process_again"]

    @admin.action(description="Process again", permissions=["retry"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[PaymentEvent]) -> None:
        """Safe at any time: an event is a hint, and the payment's state decides what it does."""
        for event in queryset:
            try:
                outcome = payment_events.retry(event=event)
            except (GatewayUnavailable, UnknownGateway) as error:
                self.message_user(request, f"Event {event.event_id}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"Event {event.event_id}: {outcome}", messages.SUCCESS)
