"""The switch for load shedding, and the record of who used it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from flashsale import shedding
from flashsale.models import LoadLevel
from flashsale.shedding import LONGEST_MINUTES, Level


class LevelForm(forms.Form):
    """What `shedding.set_level` takes."""

    level = forms.ChoiceField(choices=Level.choices, widget=forms.RadioSelect)
    minutes = forms.IntegerField(
        label="For how many minutes",
        min_value=1,
        max_value=LONGEST_MINUTES,
        required=False,
        help_text="Then it is back to normal by itself. Normal may stay without an end.",
    )
    reason = forms.CharField(max_length=200, help_text="Kept in the record below.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        says_how_long = cleaned.get("minutes") is not None or self.has_error("minutes")
        if cleaned.get("level") != Level.NORMAL and not says_how_long:
            self.add_error("minutes", "Say for how long: nobody may be there to end it.")
        return cleaned


@admin.register(LoadLevel)
class LoadLevelAdmin(admin.ModelAdmin):
    change_list_template = "admin/flashsale/loadlevel/change_list.html"
    list_display = ["created_at", "level", "reason", "until", "set_by"]
    list_filter = ["level"]
    search_fields = ["reason", "set_by"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_set = request.user.has_perm("flashsale.add_loadlevel")
        form = LevelForm(request.POST or None) if may_set else None
        if request.method == "POST" and form is not None and form.is_valid():
            row = shedding.set_level(
                level=Level(form.cleaned_data["level"]),
                minutes=form.cleaned_data["minutes"],
                reason=form.cleaned_data["reason"],
                set_by=request.user.get_username(),
            )
            self.log_addition(request, row, f"{row.get_level_display()}: {row.reason}")
            messages.success(request, f"In force within a second: {row.get_level_display()}.")
            return HttpResponseRedirect(request.path)
        known = shedding.recorded(now=timezone.now())
        context = {
            "title": "Load shedding",
            "form": form,
            "in_force": known.level.label,
            "in_force_until": known.until,
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LoadLevel | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LoadLevel | None = None) -> bool:
        return False
