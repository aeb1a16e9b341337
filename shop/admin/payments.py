"""Payments and what providers told us: read-only, with a way to try again what waits."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from shop import payment_events, payment_pauses, payments, refund_checks
from shop.gateways import GatewayRefused, GatewayUnavailable, UnknownGateway
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


class TroubleFilter(admin.SimpleListFilter):
    """Payments that were tried in vain, and those for which somebody has to look."""

    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("tried", "Tried in vain"),
            ("stuck", "Stuck: somebody has to look"),
            ("refunds", "The provider gave back another amount than our books say"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PaymentIntent]
    ) -> QuerySet[PaymentIntent]:
        unfinished = queryset.filter(state__in=payments.UNFINISHED)
        match self.value():
            case "tried":
                return unfinished.filter(tries__gt=0)
            case "stuck":
                return unfinished.filter(tries__gte=payment_pauses.STUCK_TRIES)
            case "refunds":
                return queryset.filter(pk__in=refund_checks.differing().values("pk"))
        return queryset


class EventStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting"), ("failed", "Failed, to be tried again"), ("done", "Done")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PaymentEvent]
    ) -> QuerySet[PaymentEvent]:
        match self.value():
            case "waiting":
                return queryset.filter(processed_at=None, tries=0)
            case "failed":
                return queryset.filter(processed_at=None, tries__gt=0)
            case "done":
                return queryset.exclude(processed_at=None)
        return queryset


@admin.register(PaymentIntent)
class PaymentIntentAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "order",
        "gateway",
        "amount",
        "currency",
        "state",
        "tries",
        "last_error",
        "updated_at",
    ]
    #: It may hold what lets a script go on with the payment.
    exclude = ["action"]
    list_filter = [TroubleFilter, "state", "gateway", "created_at"]
    list_select_related = ["order"]
    search_fields = ["id", "reference", "order__reference", "order__email"]
    actions = ["try_again"]

    @admin.action(description="Try again what waits", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[PaymentIntent]) -> None:
        for intent in queryset:
            try:
                state = payments.settle(intent).get_state_display()
            except (GatewayUnavailable, GatewayRefused, UnknownGateway) as error:
                said, level = str(error), messages.ERROR
            else:
                said, level = str(state), messages.SUCCESS
            self.log_change(request, intent, f"Tried again: {said}")
            self.message_user(request, f"Payment {intent.pk}: {said}", level)


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    list_display = [
        "received_at",
        "gateway",
        "kind",
        "reference",
        "state",
        "outcome",
        "tries",
        "last_error",
    ]
    list_filter = [EventStateFilter, "gateway", "kind", "outcome", "received_at"]
    search_fields = ["event_id", "reference"]
    actions = ["process_again"]

    @admin.display(description="State", ordering="processed_at")
    def state(self, event: PaymentEvent) -> str:
        if event.processed_at is not None:
            return "Done"
        return "Failed, to be tried again" if event.tries else "Waiting"

    @admin.action(description="Process again", permissions=["retry"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[PaymentEvent]) -> None:
        """Safe at any time: an event is a hint, and the payment's state decides what it does."""
        for event in queryset:
            try:
                outcome = payment_events.retry(event=event)
            except (GatewayUnavailable, GatewayRefused, UnknownGateway) as error:
                said, level = str(error), messages.ERROR
            else:
                said, level = str(outcome), messages.SUCCESS
            self.log_change(request, event, f"Processed again: {said}")
            self.message_user(request, f"Event {event.event_id}: {said}", level)
