"""More or fewer units for a running sale: a page with a form for each of its items."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from flashsale import steering
from flashsale.models import Sale, SaleItem
from flashsale.restocking import CURRENT, UnitsChanged, UnitsPromised
from flashsale.sales import NotPossible, count_units, describe
from inventory import stock
from inventory.stock import NotEnoughStock

LABEL = "Change units"
EXPLANATION = "Shoppers can claim more units at once. Units that are promised, held or sold, stay with the sale."
#: Units that one step moves: more is a slip of the hand.
MOST_UNITS = 1_000_000


class UnitsForm(forms.Form):
    """`seen` is what the page said, so that a form that is sent twice changes the units once."""

    change = forms.IntegerField(
        label="Change by",
        min_value=-MOST_UNITS,
        max_value=MOST_UNITS,
        help_text="More come from the main pool; fewer, like -3, go back to it.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    def clean_change(self) -> int:
        change = int(self.cleaned_data["change"])
        if change == 0:
            raise forms.ValidationError("Nothing would change: say by how many units.")
        return change


@dataclass(frozen=True, slots=True)
class Row:
    """An item with its numbers and its form."""

    item: SaleItem
    free: int
    promised: int
    in_main: int
    form: UnitsForm


def is_open_to_changes(sale: Sale) -> bool:
    return sale.status in CURRENT and not sale.is_rehearsal


def page(admin: ModelAdmin, request: HttpRequest, sale: Sale | None) -> HttpResponse:
    """Show the items (GET), or change the units of one (POST)."""
    if sale is None:
        raise Http404
    if not admin.has_change_permission(request, sale):
        raise PermissionDenied
    back = reverse("admin:flashsale_sale_change", args=[sale.pk])
    if not is_open_to_changes(sale):
        messages.error(request, f"The units of {sale} cannot be changed: it is not a current sale.")
        return HttpResponseRedirect(back)
    items = list(sale.items.select_related("variant__product", "sale").order_by("position", "id"))
    sent: dict[int, UnitsForm] = {}
    if request.method == "POST":
        item = next((item for item in items if str(item.pk) == request.POST.get("item")), None)
        if item is None:
            raise Http404
        form = UnitsForm(request.POST, prefix=_prefix(item))
        if form.is_valid() and _change(admin, request, item, form):
            return HttpResponseRedirect(request.path)
        sent[item.pk] = form
    context = admin.admin_site.each_context(request) | {
        "title": f"{LABEL}: {sale}",
        "step": {"label": LABEL, "explanation": EXPLANATION},
        "opts": admin.opts,
        "row": sale,
        "rows": _rows(sale, items, sent),
        "has_errors": bool(sent),
        "back_url": back,
    }
    return TemplateResponse(request, "admin/flashsale/sale/units.html", context)


def _change(admin: ModelAdmin, request: HttpRequest, item: SaleItem, form: UnitsForm) -> bool:
    """False when the form has to be shown again, with what stands in the way."""
    change = form.cleaned_data["change"]
    try:
        told = steering.change_units(
            item=item,
            change=change,
            actor=request.user.get_username(),
            seen=form.cleaned_data["seen"],
        )
    except UnitsChanged as error:
        messages.error(request, str(error))  # the page shows the units of now, for another try
        return True
    except (NotPossible, NotEnoughStock, UnitsPromised) as error:
        form.add_error("change", str(error))
        return False
    said = f"{item.variant}: {change:+} units; the sale has {item.units} now."
    admin.log_change(request, item.sale, said)
    messages.success(request, said)
    if not told:
        messages.warning(request, "Redis is away: the gate follows with the next beat.")
    return True


def _rows(sale: Sale, items: list[SaleItem], sent: dict[int, UnitsForm]) -> list[Row]:
    left: dict[int, int] = count_units(describe(sale)).left_by_item
    in_main = stock.available(skus=[item.variant.sku for item in items])
    return [
        Row(
            item=item,
            free=left[item.pk],
            promised=item.units - left[item.pk],
            in_main=in_main[item.variant.sku],
            form=sent.get(item.pk) or _new_form(item),
        )
        for item in items
    ]


def _new_form(item: SaleItem) -> UnitsForm:
    initial: dict[str, Any] = {"seen": item.units}
    return UnitsForm(prefix=_prefix(item), initial=initial)


def _prefix(item: SaleItem) -> str:
    return f"item-{item.pk}"
