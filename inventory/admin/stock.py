"""Stock in the back office: what there is, and the two steps by which people change it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from inventory import stock
from inventory.admin.pools import PoolKindFilter
from inventory.admin.read_only import ReadOnlyAdmin, told
from inventory.admin.stock_csv import StockResource
from inventory.admin.tables import TableMixin
from inventory.models import Stock

#: Units that one step takes: more is a slip of the hand, and the counters end at two thousand times as many.
MOST_UNITS = 1_000_000


class StepForm(forms.Form):
    """`seen` is what the page said, so that a form that is sent twice counts once."""

    seen = forms.IntegerField(widget=forms.HiddenInput)


class ReceiveForm(StepForm):
    units = forms.IntegerField(label="Units that arrived", min_value=1, max_value=MOST_UNITS)
    reason = forms.CharField(
        max_length=200, required=False, help_text="For example the delivery's number."
    )


class CorrectForm(StepForm):
    units = forms.IntegerField(
        label="Change of the count",
        min_value=-MOST_UNITS,
        max_value=MOST_UNITS,
        help_text="Units found are positive, units missing negative, like -3.",
    )
    reason = forms.CharField(max_length=200, help_text="Why the count was wrong. It is kept.")

    def clean_units(self) -> int:
        units = int(self.cleaned_data["units"])
        if units == 0:
            raise forms.ValidationError("Nothing would change: say by how many units.")
        return units


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a person does with a stock row. `run` takes the row, units, and why, who and what was seen."""

    label: str
    explanation: str
    done: str
    form: type[StepForm]
    run: Callable[..., object]


def _receive(row: Stock, units: int, **about: Any) -> None:
    stock.receive(sku=row.sku, pool=row.pool, quantity=units, **about)


def _correct(row: Stock, units: int, **about: Any) -> None:
    stock.adjust(sku=row.sku, pool=row.pool, change=units, **about)


STEPS = {
    "receive": Step(
        label="Receive units",
        explanation="Units that arrived can be sold at once.",
        done="Received",
        form=ReceiveForm,
        run=_receive,
    ),
    "correct": Step(
        label="Correct the count",
        explanation="For units that were found, broke or went missing. The count cannot go below the units "
        "that are promised to somebody.",
        done="Corrected",
        form=CorrectForm,
        run=_correct,
    ),
}


@admin.register(Stock)
class StockAdmin(TableMixin, ReadOnlyAdmin):
    resource_classes = [StockResource]
    change_form_template = "admin/inventory/stock/change_form.html"
    list_display = ["sku", "pool", "on_hand", "allocated", "available"]
    list_filter = [PoolKindFilter]
    search_fields = ["sku"]
    search_help_text = "A SKU."
    fields = ["sku", "pool", "on_hand", "allocated", "available", "updated"]
    readonly_fields = ["available", "updated"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stock]:
        rows: QuerySet[Stock] = super().get_queryset(request)
        return rows.annotate(free=F("on_hand") - F("allocated"))

    @admin.display(description="available", ordering="free")
    def available(self, row: Stock) -> int:
        return row.available

    @admin.display(description="last changed")
    def updated(self, row: Stock) -> str:
        return told(row.updated_at)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        if row is not None:
            may_change = _may_change(request)
            context["steps"] = [
                {"label": step.label, "url": _step_url(row, name)}
                for name, step in STEPS.items()
                if may_change and _is_open_to_steps(row)
            ]
            context["is_ring_fenced"] = may_change and not _is_open_to_steps(row)
            context["about"] = [
                {
                    "label": label,
                    "url": f"{reverse(name)}?{urlencode({'stock__id__exact': row.pk})}",
                }
                for label, name in (
                    ("Movements", "admin:inventory_stockmovement_changelist"),
                    ("Reservations", "admin:inventory_reservation_changelist"),
                )
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        step = self.admin_site.admin_view(self.step_view)
        return [
            path("<int:pk>/<slug:name>/step/", step, name="inventory_stock_step"),
            *super().get_urls(),
        ]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Ask for the units (GET), then change the counter (POST)."""
        row = self.get_object(request, str(pk))
        if row is None or name not in STEPS or not _is_open_to_steps(row):
            raise Http404
        if not _may_change(request):
            raise PermissionDenied
        step = STEPS[name]
        form = step.form(request.POST or None, initial={"seen": partial(stock.last_count, row)})
        back = reverse("admin:inventory_stock_change", args=[row.pk])
        if request.method == "POST" and form.is_valid():
            typed = form.cleaned_data
            units, reason = typed["units"], typed["reason"]
            try:
                who = request.user.get_username()
                step.run(row, units, reason=reason, actor=who, seen=typed["seen"])
            except stock.CountChanged as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(back)
            except stock.NotEnoughStock as error:
                form.add_error("units", str(error))
            else:
                said = f"{step.done}: {units:+} of {row.sku}."
                self.log_change(request, row, f"{said} {reason}".strip())
                messages.success(request, said)
                return HttpResponseRedirect(back)
        context = self.admin_site.each_context(request) | {
            "title": f"{step.label}: {row.sku}",
            "opts": self.opts,
            "row": row,
            "step": step,
            "form": form,
            "back_url": back,
        }
        return TemplateResponse(request, "admin/inventory/stock/step.html", context)


def _may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("inventory.change_stock")


def _is_open_to_steps(row: Stock) -> bool:
    """Ring-fenced units are counted by whoever keeps them too, who moves them from and to the main pool."""
    return row.pool == Stock.MAIN


def _step_url(row: Stock, name: str) -> str:
    return reverse("admin:inventory_stock_step", args=[row.pk, name])
