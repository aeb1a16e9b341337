"""Asking to send things back."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from shop import returns
from shop.models import LineItem
from shop.views.orders import own_order


class ReturnForm(forms.Form):
    """How many units of each line, and why."""

    reason = forms.CharField(
        max_length=200,
        label=_("Why?"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("It helps us to do better. Nobody has to justify a return."),
    )

    def __init__(self, *args: Any, items: Mapping[LineItem, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.items = items
        fields = {
            f"units-{item.pk}": forms.IntegerField(
                min_value=0,
                max_value=units,
                initial=0,
                label=item.name,
                help_text=_("Units to send back, of %(units)s") % {"units": units},
            )
            for item, units in items.items()
        }
        self.fields = {**fields, **self.fields}

    @property
    def units(self) -> dict[int, int]:
        return {item.pk: self.cleaned_data[f"units-{item.pk}"] for item in self.items}

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors and not any(self.units.values()):
            raise forms.ValidationError(_("Choose at least one unit to send back."))
        return cleaned


@never_cache
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, reference: str) -> HttpResponse:
    order = own_order(request, reference)
    there = HttpResponseRedirect(order.get_absolute_url(), status=303)
    if not returns.may_ask(order, now=timezone.now()):
        messages.info(request, _("There is nothing of this order to send back now."))
        return there
    form = ReturnForm(request.POST or None, items=returns.returnable(order))
    if not form.is_valid():
        status = 422 if request.method == "POST" else 200
        context = {"order": order, "form": form}
        return render(request, "shop/order_return.html", context, status=status)
    outcome = returns.ask(
        order=order,
        units=form.units,
        reason=form.cleaned_data["reason"],
        actor=request.user.email if request.user.is_authenticated else order.email,
        now=timezone.now(),
    )
    if isinstance(outcome, returns.Done):
        messages.success(request, _("We have your wish, and write to you about it."))
    else:
        messages.info(request, outcome.reason)
    return there


urlpatterns = [path("orders/<str:reference>/return/", ask, name="order-return")]
