"""Reviews: read here, then approved, or refused with a reason."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from shop import reviews
from shop.models import Review, User


class ReadForm(forms.Form):
    """`read_at` is when the texts were shown: what is changed after that is not decided."""

    read_at = forms.DateTimeField(widget=forms.HiddenInput)


class RefuseForm(ReadForm):
    reason = forms.CharField(max_length=300, help_text="Its writer reads this.")


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting to be read"), ("shown", "Shown"), ("refused", "Refused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Review]) -> QuerySet[Review]:
        conditions = {
            "waiting": Q(is_approved=False, refusal=""),
            "shown": Q(is_approved=True),
            "refused": ~Q(refusal=""),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    """Nobody writes in another person's name: texts are read here, and decided by actions."""

    list_display = ["title", "product", "rating", "user", "state", "created_at"]
    list_filter = [StateFilter, "rating", "created_at"]
    list_select_related = ["product", "user"]
    search_fields = ["title", "body", "product__name", "user__email"]
    search_help_text = "Words of a review, a product, or who wrote it."
    actions = ["approve", "refuse"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        return obj is None and super().has_change_permission(request)

    @admin.action(description="Approve", permissions=["change"])
    def approve(self, request: HttpRequest, chosen: QuerySet[Review]) -> HttpResponse | None:
        return self._decide(request, chosen, action="approve", title="Approve", form=ReadForm)

    @admin.action(description="Refuse", permissions=["change"])
    def refuse(self, request: HttpRequest, chosen: QuerySet[Review]) -> HttpResponse | None:
        return self._decide(request, chosen, action="refuse", title="Refuse", form=RefuseForm)

    def _decide(
        self,
        request: HttpRequest,
        chosen: QuerySet[Review],
        *,
        action: str,
        title: str,
        form: type[ReadForm],
    ) -> HttpResponse | None:
        """Show the whole texts first; then decide about what was shown."""
        is_answer = "confirmed" in request.POST
        bound = (
            form(request.POST)
            if is_answer
            else form(initial={"read_at": timezone.now().isoformat()})
        )
        if not is_answer or not bound.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": title,
                "reviews": chosen.select_related("product", "user"),
                "form": bound,
                "action": action,
                "action_name": helpers.ACTION_CHECKBOX_NAME,
                "opts": self.model._meta,
            }
            return TemplateResponse(request, "admin/shop/review/decide.html", context)
        changed = reviews.decide(
            pks=chosen.values_list("pk", flat=True),
            read_at=bound.cleaned_data["read_at"],
            actor=cast("User", request.user).email,
            refusal=bound.cleaned_data.get("reason", ""),
        )
        left = chosen.count() - changed
        if changed:
            self.message_user(request, f"{title}: {changed} done.", messages.SUCCESS)
        if left:
            text = f"{left} left as they are: decided so before, or changed since you read them."
            self.message_user(request, text, messages.WARNING)
        return None
