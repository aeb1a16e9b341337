"""Claims that could not be decided: somebody looks, tries them again, or dismisses them."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest

from flashsale import settling
from flashsale.models import SetAsideClaim

Resolution = SetAsideClaim.Resolution


@admin.register(SetAsideClaim)
class SetAsideClaimAdmin(admin.ModelAdmin):
    list_display = ["created_at", "sale", "name", "reason", "resolution", "resolved_by"]
    list_display_links = ["created_at", "name"]
    list_filter = ["resolution", ("sale", admin.RelatedOnlyFieldListFilter), "created_at"]
    list_select_related = ["sale"]
    search_fields = ["name", "shopper", "reason", "sale__name", "sale__slug"]
    search_help_text = "A purchase's id, a shopper's id, a reason, or a sale."
    fields = [
        "sale",
        "name",
        "shopper",
        "content",
        "reason",
        "claimed_at",
        "created_at",
        "resolution",
        "resolved_by",
    ]
    actions = ["try_again", "dismiss"]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return actions if _may_resolve(request) else {}

    @admin.action(description="Try the selected claims again")
    def try_again(self, request: HttpRequest, claims: QuerySet[SetAsideClaim]) -> None:
        """One by one, in the order in which they came; what fails again stays open."""
        self._check(request)
        for row in claims.filter(resolution=Resolution.OPEN).order_by("id"):
            try:
                outcome = settling.try_again(row)
            except (settling.NotReadable, settling.AccountClosed, DatabaseError) as error:
                messages.error(request, f"{row.name}: {str(error) or type(error).__doc__}")
                continue
            self._resolve(request, row, Resolution.RETRIED)
            messages.success(request, f"{row.name}: {outcome.replace('_', ' ')}.")

    @admin.action(description="Dismiss the selected claims: nothing will come of them")
    def dismiss(self, request: HttpRequest, claims: QuerySet[SetAsideClaim]) -> None:
        self._check(request)
        rows = list(claims.filter(resolution=Resolution.OPEN))
        for row in rows:
            self._resolve(request, row, Resolution.DISMISSED)
        messages.success(request, f"Dismissed: {len(rows)}.")

    def _check(self, request: HttpRequest) -> None:
        if not _may_resolve(request):
            raise PermissionDenied

    def _resolve(self, request: HttpRequest, row: SetAsideClaim, resolution: Resolution) -> None:
        by = request.user.get_username()
        waiting = SetAsideClaim.objects.filter(pk=row.pk, resolution=Resolution.OPEN)
        if waiting.update(resolution=resolution, resolved_by=by):
            self.log_change(request, row, resolution.label)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SetAsideClaim | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SetAsideClaim | None = None) -> bool:
        return False


def _may_resolve(request: HttpRequest) -> bool:
    return request.user.has_perm("flashsale.change_setasideclaim")
