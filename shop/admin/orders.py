"""Orders: looked up here, and changed by actions alone. Each says who did it on the order's timeline."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from shop import orders
from shop.models import LineItem, Order, OrderEvent, PaymentIntent, User
from shop.templatetags.shop import money

#: What an action does with one order: whether it did it.
Act = Callable[[Order, str, str], bool]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=150, help_text="The shopper reads it on the order's timeline."
    )


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LineItemInline(ReadOnlyInline):
    model = LineItem
    fields = readonly_fields = ("sku", "name", "quantity", "unit_price", "units")

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
        "decline_reason",
    )
    show_change_link = True


class OrderEventInline(ReadOnlyInline):
    model = OrderEvent
    fields = readonly_fields = ("created_at", "message", "actor")
    verbose_name_plural = "timeline"


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["reference", "state", "email", "total_shown", "placed_at", "paid_at"]
    list_filter = ["state", "placed_at"]
    search_fields = ["reference", "email", "recipient", "line_items__sku"]
    date_hierarchy = "placed_at"
    inlines = [LineItemInline, PaymentIntentInline, OrderEventInline]
    actions = ["fulfil", "cancel", "refund"]
    fieldsets = [
        (None, {"fields": ["reference", "state", "email", "user"]}),
        ("Money", {"fields": ["subtotal", "shipping", "total", "currency"]}),
        ("Where it goes", {"fields": [
            "recipient", "street", "street2", "postcode", "city", "country",
        ]}),
        ("Times", {"fields": ["placed_at", "expires_at", "paid_at", "fulfilled_at", "closed_at"]}),
    ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """Nothing is typed over: the list's actions are how an order changes."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.refund_order")

    @admin.display(description="total", ordering="total")
    def total_shown(self, order: Order) -> str:
        return money(order.total, order.currency)

    @admin.action(description="Mark as shipped", permissions=["change"])
    def fulfil(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._confirmed(
            request,
            queryset,
            action="fulfil",
            title="Mark these orders as shipped?",
            text="Their units leave the stock, and each shopper gets a mail. Only paid orders change.",
            button="Yes, they are on their way",
            done="shipped",
            act=lambda order, actor, reason: orders.fulfil(order=order, actor=actor),
        )

    @admin.action(description="Cancel", permissions=["refund"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._confirmed(
            request,
            queryset,
            action="cancel",
            title="Cancel these orders?",
            text="Their units go back on the shelf, and what was paid goes back to the shopper. "
            "Only orders that were not shipped change.",
            button="Yes, cancel them",
            done="cancelled",
            act=lambda order, actor, reason: orders.cancel(order=order, actor=actor, reason=reason),
            reason=ReasonForm,
        )

    @admin.action(description="Refund in full", permissions=["refund"])
    def refund(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        return self._confirmed(
            request,
            queryset,
            action="refund",
            title="Refund these orders in full?",
            text="The money goes back to the shopper. Units that were not shipped go back on the shelf. "
            "Only paid and shipped orders change.",
            button="Yes, refund them",
            done="refunded",
            act=lambda order, actor, reason: orders.refund(order=order, actor=actor, reason=reason),
            reason=ReasonForm,
        )

    def _confirmed(
        self,
        request: HttpRequest,
        queryset: QuerySet[Order],
        *,
        action: str,
        title: str,
        text: str,
        button: str,
        done: str,
        act: Act,
        reason: type[ReasonForm] | None = None,
    ) -> HttpResponse | None:
        """Ask first; then act on each order, and say how many changed and which did not."""
        is_answer = "confirmed" in request.POST
        form = reason(request.POST if is_answer else None) if reason else None
        if not is_answer or (form is not None and not form.is_valid()):
            context = {
                **self.admin_site.each_context(request),
                "title": title,
                "text": text,
                "button": button,
                "orders": queryset,
                "form": form,
                "action": action,
                "action_name": helpers.ACTION_CHECKBOX_NAME,
                "opts": self.model._meta,
            }
            return TemplateResponse(request, "admin/shop/order/confirm_action.html", context)
        actor = cast("User", request.user).email
        why = form.cleaned_data["reason"] if form else ""
        refused = [order.reference for order in queryset if not act(order, actor, why)]
        changed = queryset.count() - len(refused)
        if changed:
            self.message_user(request, f"{done.capitalize()}: {changed}.", messages.SUCCESS)
        if refused:
            names = ", ".join(refused)
            self.message_user(request, f"Could not be {done}: {names}.", messages.WARNING)
        return None
