"""What staff type in to change an order."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms

from shop import refund_sums
from shop.models import Order, Refund
from shop.money import SUM_DIGITS
from shop.templatetags.shop import money

TOLD = "The shopper reads it on the order's timeline."


class OrderForm(forms.Form):
    """A form about one order."""

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = order


class ReasonForm(OrderForm):
    reason = forms.CharField(max_length=150, help_text=TOLD)


class SeenForm(ReasonForm):
    """For what means something else in another state: it is done in the state that was seen, or not at all."""

    #: Without it nothing was seen; then, too, the form is refused as a whole.
    seen_state = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen_state"].initial = self.order.state

    @property
    def is_stale(self) -> bool:
        return bool(self.cleaned_data["seen_state"] != self.order.state)


class ShipForm(OrderForm):
    carrier = forms.CharField(max_length=60, required=False)
    tracking_number = forms.CharField(max_length=80, required=False)
    tracking_url = forms.URLField(
        label="Tracking link",
        max_length=200,
        required=False,
        assume_scheme="https",
        help_text="Where the shopper can follow the parcel.",
    )


class NoteForm(OrderForm):
    text = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 3}))
    is_for_shopper = forms.BooleanField(
        label="Show it to the shopper",
        required=False,
        help_text="Otherwise it is for staff alone.",
    )


class RefundAllForm(SeenForm):
    restock = forms.BooleanField(
        label="Put the units back on the shelf",
        required=False,
        help_text="Otherwise those that were not shipped are written off.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["restock"].initial = self.order.state == Order.State.PAID


class RefundPartForm(ReasonForm):
    amount = forms.DecimalField(
        label="An amount besides",
        min_value=Decimal(0),
        max_digits=SUM_DIGITS,
        decimal_places=2,
        required=False,
        help_text="For what is not the price of a unit or of delivery.",
    )
    restock = forms.BooleanField(
        label="Put these units back on the shelf",
        required=False,
        help_text="An order that was not shipped then goes out without them.",
    )
    attempt = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        order = self.order
        kept = self._sent_before()
        self.items = refund_sums.unrefunded(order)
        for line in kept.lines.select_related("line_item") if kept else ():
            self.items[line.line_item] = self.items.get(line.line_item, 0) + line.quantity
        fields: dict[str, forms.Field] = {
            f"units-{item.pk}": forms.IntegerField(
                label=item.name,
                min_value=0,
                max_value=units,
                required=False,
                help_text=f"Units of {units}; one was "
                f"{money(refund_sums.cost_of(item, 1, order=order), order.currency)}.",
            )
            for item, units in self.items.items()
        }
        if delivery := refund_sums.delivery_left(order) + (kept.shipping if kept else 0):
            fields["delivery"] = forms.BooleanField(
                label=f"Delivery, {money(delivery, order.currency)}", required=False
            )
        self.fields = {**fields, **self.fields}
        self.order_fields([*fields, "amount", "restock", "reason"])
        self.fields["attempt"].initial = uuid4

    def _sent_before(self) -> Refund | None:
        """The refund that this same form has started: it offers once more what that one took."""
        try:
            attempt = UUID(self.data.get("attempt", ""))
        except ValueError:
            return None
        return self.order.refunds.filter(pk=attempt, state__in=Refund.GIVING).first()

    @property
    def units(self) -> dict[int, int]:
        return {item.pk: self.cleaned_data[f"units-{item.pk}"] or 0 for item in self.items}


class RefuseReturnForm(OrderForm):
    answer = forms.CharField(max_length=280, label="Why", help_text="The shopper gets it by mail.")


class ReceiveReturnForm(OrderForm):
    restock = forms.BooleanField(
        label="Put the units back on the shelf",
        required=False,
        help_text="Only what is as good as new.",
    )
