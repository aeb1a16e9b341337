"""Orders: looked up here, and changed by steps on their page, or by actions on many. Each says who did it, and why."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from import_export.admin import ExportMixin

from shop import documents, orders, refund_checks, refund_sums, returns
from shop.admin import order_steps
from shop.admin.csv_resources import OrderResource
from shop.admin.order_forms import TOLD
from shop.admin.order_inlines import (
    LineItemInline,
    OrderEventInline,
    PaymentIntentInline,
    RefundInline,
    ReturnInline,
)
from shop.admin.order_steps import STEPS
from shop.models import Order, PaymentIntent, Refund, Return, User
from shop.templatetags.shop import money
from shop.views.papers import paper

#: Papers of an order that was paid, by the last part of their address.
PAPERS = {"invoice": "Invoice", "packing-slip": "Packing slip"}

#: What an action does with one order: whether it did it.
Act = Callable[[Order, str, str], bool]


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=150, help_text=TOLD)


class OpenWorkFilter(admin.SimpleListFilter):
    title = "what waits"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("ship", "To be shipped"),
            ("return", "A return to be decided or received"),
            ("refund", "A refund that was refused"),
            ("differs", "Refunds that differ from the provider's"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        conditions = {
            "ship": Q(state=Order.State.PAID),
            "return": Exists(Return.objects.filter(order=OuterRef("pk"), state__in=returns.OPEN)),
            "refund": Exists(
                Refund.objects.filter(order=OuterRef("pk"), state=Refund.State.REFUSED)
            ),
            "differs": Exists(refund_checks.differing().filter(order=OuterRef("pk"))),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Order)
class OrderAdmin(ExportMixin, admin.ModelAdmin):
    resource_classes = [OrderResource]
    change_form_template = "admin/shop/order/change_form.html"
    list_display = ["reference", "state", "email", "total_shown", "placed_at", "paid_at"]
    list_filter = ["state", OpenWorkFilter, "placed_at", "fulfilled_at"]
    search_fields = ["reference", "email", "recipient", "tracking_number", "line_items__sku"]
    search_help_text = "A reference, a person, an email address, a tracking number or a SKU."
    date_hierarchy = "placed_at"
    inlines = [
        LineItemInline,
        PaymentIntentInline,
        RefundInline,
        ReturnInline,
        OrderEventInline,
    ]
    actions = ["fulfil", "cancel", "refund"]
    fieldsets = [
        (None, {"fields": ["reference", "state", "email", "user", "note"]}),
        ("Money", {"fields": [
            "subtotal", "discount", "discount_code", "shipping", "tax", "tax_name",
            "tax_is_included", "total", "currency",
        ]}),
        ("Where it goes", {"fields": [
            "recipient", "street", "street2", "postcode", "city", "country",
            "shipping_method", "carrier", "tracking_number", "tracking_url",
        ]}),
        ("Times", {"fields": ["placed_at", "expires_at", "paid_at", "fulfilled_at", "closed_at"]}),
    ]  # fmt: skip

    class Media:
        css = {"all": ["css/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        """Nothing is typed over: steps and actions are how an order changes."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.refund_order")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/<slug:name>/step/", view(self.step_view), name="shop_order_step"),
            path("<uuid:pk>/<slug:name>.pdf", view(self.paper_view), name="shop_order_paper"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        order = kwargs.get("obj")
        if order is not None:
            context["steps"] = [
                {
                    "label": step.label,
                    "url": reverse("admin:shop_order_step", args=[order.pk, name]),
                }
                for name, step in STEPS.items()
                if request.user.has_perm(step.permission) and step.is_open(order)
            ]
            context["papers"] = [
                {"label": label, "url": reverse("admin:shop_order_paper", args=[order.pk, name])}
                for name, label in PAPERS.items()
                if order.paid_at is not None
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def step_view(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """Ask (GET), then do it (POST): on the timeline and in the admin's history with who and why."""
        order = self.get_object(request, str(pk))
        step = STEPS.get(name)
        if order is None or step is None:
            raise Http404
        if not request.user.has_perm(step.permission):
            raise PermissionDenied
        form = step.form(request.POST if request.method == "POST" else None, order=order)
        back = HttpResponseRedirect(reverse("admin:shop_order_change", args=[pk]))
        if request.method == "POST" and form.is_valid():
            refusal = step.run(form, cast("User", request.user).email)
            if not refusal:
                why = form.cleaned_data.get("reason") or form.cleaned_data.get("answer") or ""
                told = " ".join(f"{said}." for said in (step.done, step.told(order)) if said)
                self.log_change(request, order, f"{told} {why}".strip())
                self.message_user(request, f"{order.reference}: {told}", messages.SUCCESS)
                return back
            form.add_error(None, refusal)
        elif not step.is_open(order):
            self.message_user(request, order_steps.STALE, messages.WARNING)
            return back
        intent = order.payment_intents.filter(state=PaymentIntent.State.CAPTURED).first()
        context = self.admin_site.each_context(request) | {
            "title": f"{step.label}: {order.reference}",
            "opts": self.opts,
            "row": order,
            "step": step,
            "form": form,
            "left": refund_sums.left_of(intent) if intent and "refund" in name else None,
            "parcel": returns.open_return(order) if "return" in name else None,
            "back_url": back.url,
        }
        return TemplateResponse(request, "admin/shop/order/step.html", context)

    def paper_view(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        order = self.get_object(request, str(pk))
        if order is None or name not in PAPERS:
            raise Http404
        if not self.has_view_permission(request, order):
            raise PermissionDenied
        is_invoice = name == "invoice"
        document = documents.invoice_of(order) if is_invoice else documents.packing_slip_of(order)
        return paper(document)

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
        """Ask first; then act on each order, and say how many changed and which did not.

        Only in the state in which it was seen: the answer names each order with that.
        """
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
        seen = set(request.POST.getlist("seen"))
        answers = defaultdict(list)
        for order in queryset:
            if f"{order.pk} {order.state}" not in seen:
                answers["stale"].append(order.reference)
            elif act(order, actor, why):
                answers["done"].append(order.reference)
                self.log_change(request, order, f"{done.capitalize()}. {why}".strip())
            else:
                answers["refused"].append(order.reference)
        if changed := len(answers["done"]):
            self.message_user(request, f"{done.capitalize()}: {changed}.", messages.SUCCESS)
        for answer, said in (
            ("stale", "Not any more as you saw it, and left alone"),
            ("refused", f"Could not be {done}"),
        ):
            if names := ", ".join(answers[answer]):
                self.message_user(request, f"{said}: {names}.", messages.WARNING)
        return None
