"""Validation of a sale in the back office: every refusal says what is wrong and what to do."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils import timezone

from flashsale import looks
from flashsale.models import Sale
from inventory import stock

Status = Sale.Status

WORDS = ("name", "tagline", "description")
LOOK = ("line_text", "line_logo", "line_logo_alt", "line_colour")
TIMES = ("lobby_opens_at", "opens_at", "closes_at")
RULES = (
    "queue_mode",
    "limit_per_shopper",
    "hold_seconds",
    "hold_extension_seconds",
    "admission_cap",
    "admissions_per_minute",
    "admission_seconds",
)
STOCK = ("strategy", "fallback")
PACE = (
    "closes_at",
    "limit_per_shopper",
    "hold_seconds",
    "hold_extension_seconds",
    "admission_cap",
    "admissions_per_minute",
    "admission_seconds",
)
#: What may still be changed, by status. Shoppers, the draw and the ring-fenced units rely on the rest.
EDITABLE = {
    Status.SCHEDULED: (*WORDS, *LOOK, *PACE, *STOCK),
    Status.PAUSED: (*WORDS, *LOOK, *PACE, *STOCK),
    Status.ENDED: (*WORDS, *LOOK),
    Status.CANCELLED: (*WORDS, *LOOK),
}
WHY_FIXED = {
    Status.SCHEDULED: "The sale is scheduled: shoppers know when it opens, its units are ring-fenced, and "
    "the draw is committed to. Its words and looks, its end, its limit (upwards), holds, admissions and "
    "stock strategy can still be changed. For anything else, cancel it and schedule another.",
    Status.PAUSED: "The sale is paused. Its words and looks, its end, its limit (upwards), holds, admissions and "
    "stock strategy can be changed; its items, prices and opening cannot.",
    Status.ENDED: "The sale has ended: only its words and looks can be changed.",
    Status.CANCELLED: "The sale was cancelled: only its words and looks can be changed.",
}


class SaleForm(forms.ModelForm):
    class Meta:
        model = Sale
        fields = [*WORDS, *LOOK, "slug", *TIMES, *RULES, *STOCK]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in TIMES:
            if name in self.fields:
                self.fields[name].help_text = f"The shop's time: {settings.TIME_ZONE}."
        for name in (*STOCK, "hold_extension_seconds"):
            if name in self.fields:
                self.fields[name].required = False

    def clean_hold_extension_seconds(self) -> int:
        """Left empty, it stays as it is."""
        seconds = self.cleaned_data["hold_extension_seconds"]
        return self.instance.hold_extension_seconds if seconds is None else int(seconds)

    def clean_line_colour(self) -> str:
        colour = str(self.cleaned_data["line_colour"]).lower()
        if not looks.is_colour(colour):
            return colour  # none at all, or one that the model's own validator refuses
        for theme, measured in looks.too_close(colour).items():
            raise forms.ValidationError(
                f"{colour} has a contrast of {measured:.2f}:1 with the {theme} page, and "
                f"{looks.NEEDED:.0f}:1 is needed with both the light and the dark one. The nearest shade "
                f"that has it is {looks.nearest_shade(colour)}."
            )
        return colour

    def clean_strategy(self) -> str:
        return str(self.cleaned_data["strategy"]) or self.instance.strategy

    def clean_fallback(self) -> str:
        return str(self.cleaned_data["fallback"]) or self.instance.fallback

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._check_times()
        self._check_limit(cleaned.get("limit_per_shopper"))
        return cleaned

    def _moment(self, name: str) -> datetime | None:
        """A time as entered, or as it is when it cannot be edited; None when it was not understood."""
        if name in self.fields:
            return self.cleaned_data.get(name)
        return cast(datetime, getattr(self.instance, name))

    def _check_times(self) -> None:
        lobby, opens = self._moment("lobby_opens_at"), self._moment("opens_at")
        closes = self._moment("closes_at")
        if lobby and opens and lobby > opens:
            self.add_error(
                "lobby_opens_at",
                f"The lobby would open after the sale, which opens at {_told(opens)}: "
                "shoppers meet in the lobby before.",
            )
        if "closes_at" not in self.fields or closes is None:
            return
        if opens and closes <= opens:
            self.add_error(
                "closes_at",
                f"The sale would close before it opens, at {_told(opens)}: the times run backward.",
            )
        elif closes <= timezone.now():
            self.add_error("closes_at", "This is in the past: the sale would be over already.")

    def _check_limit(self, limit: int | None) -> None:
        known = self.initial.get("limit_per_shopper")
        is_draft = self.instance.status == Status.DRAFT
        if not is_draft and limit is not None and known is not None and limit < known:
            self.add_error(
                "limit_per_shopper",
                f"Some may have {known} already: once a sale is scheduled its limit only goes up.",
            )


def warnings(sale: Sale) -> Iterator[str]:
    """What a merchant probably did not mean, but may."""
    items = list(sale.items.select_related("variant__product"))
    if not items:
        yield "The sale has no items yet: add one before you schedule it."
        return
    free = stock.available(skus=[item.variant.sku for item in items])
    for item in items:
        if item.units > free[item.variant.sku]:
            yield (
                f"{item.variant}: {item.units} units are wanted and {free[item.variant.sku]} are free in "
                "the main pool. It cannot be scheduled like this."
            )
        if item.price > item.variant.price:
            yield (
                f"{item.variant}: the sale's price {item.price} is above the usual {item.variant.price}."
            )
    if sale.limit_per_shopper > sum(item.units for item in items):
        yield "The limit per shopper is more than all units: one shopper could take everything."


def _told(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"
