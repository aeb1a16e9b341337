"""Refunds, returns and invoices across all orders: looked up here, decided on the order's page."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from shop import documents, refund_settling, refunds
from shop.admin.payments import ReadOnlyAdmin
from shop.models import Invoice, Refund, Return
from shop.views.papers import paper


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "order",
        "amount",
        "currency",
        "state",
        "reason",
        "actor",
        "error",
    ]
    list_filter = ["state", "created_at"]
    list_select_related = ["order"]
    search_fields = ["order__reference", "order__email", "id", "actor"]
    date_hierarchy = "created_at"
    actions = ["try_again"]
    exclude = ["due_at"]
    readonly_fields = ["credit_note"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.paper_view)
        return [
            path("<uuid:pk>/credit-note.pdf", view, name="shop_refund_paper"),
            *super().get_urls(),
        ]

    @admin.display(description="credit note")
    def credit_note(self, refund: Refund) -> SafeString | str:
        if not refund.is_for_goods:
            return "none: this payment is not on the invoice"
        if refund.state != Refund.State.DONE:
            return "when the money was given back"
        url = reverse("admin:shop_refund_paper", args=[refund.pk])
        return format_html('<a href="{}">Credit note</a>', url)

    def paper_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        refund = self.get_object(request, str(pk))
        if refund is None:
            raise Http404
        if not self.has_view_permission(request, refund):
            raise PermissionDenied
        return paper(documents.credit_note_of(refund))

    @admin.action(description="Try again what waits or was refused", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        for refund in queryset.select_related("order", "intent"):
            current = refund
            if refund.state == Refund.State.REFUSED:
                outcome = refunds.repeat(refund=refund, actor=request.user.get_username())
                if isinstance(outcome, refunds.NotRefunded):
                    said = f"{refund.order}: {outcome.reason}"
                    self.message_user(request, said, messages.ERROR)
                    continue
                current = outcome.refund
            current = refund_settling.settle(current.pk)
            self.log_change(request, refund, f"Tried again: {current}")
            is_done = current.state == Refund.State.DONE
            said = f"{refund.order}: {current}{f', {current.error}' if current.error else ''}"
            self.message_user(request, said, messages.SUCCESS if is_done else messages.WARNING)


@admin.register(Return)
class ReturnAdmin(ReadOnlyAdmin):
    list_display = ["requested_at", "order", "state", "reason", "settled_at"]
    list_filter = ["state", "requested_at"]
    list_select_related = ["order"]
    search_fields = ["order__reference", "order__email"]
    date_hierarchy = "requested_at"


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ["number", "order", "issued_at"]
    list_filter = ["issued_at"]
    list_select_related = ["order"]
    search_fields = ["order__reference", "order__email", "order__recipient"]
    date_hierarchy = "issued_at"
