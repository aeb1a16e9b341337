"""What shoppers type in to order and to pay."""

from typing import Any
from uuid import uuid4

from django import forms

from shop import gateways
from shop.checkout import AddressData
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.gateways.demo import Card
from shop.models import Address

#: The demo provider's cards, as the checkout offers them.
DEMO_CARDS = [
    (Card.APPROVE, "Approve it at once"),
    (Card.LATE, "Take a few seconds, then approve it"),
    (Card.DUPLICATE, "Approve it, and tell us three times"),
    (Card.DECLINE, "Decline it"),
]


def _card_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label="Demonstration card",
        choices=DEMO_CARDS,
        initial=Card.APPROVE,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "Choose one of the cards."},
    )


def _check_that_payment_is_possible() -> None:
    if not gateways.offered():
        raise forms.ValidationError("This shop cannot take payments at the moment.")


class PayForm(forms.Form):
    """How to pay: a card of the demo provider, where it is switched on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "demo" in gateways.offered():
            self.fields["card"] = _card_field()

    def clean(self) -> dict[str, Any] | None:
        _check_that_payment_is_possible()
        return super().clean()

    @property
    def method(self) -> dict[str, str]:
        return {"method": "demo", "card": self.cleaned_data["card"]}


class CheckoutForm(forms.ModelForm):  # type: ignore[type-arg]  # takes its argument in the stubs alone
    """Where it goes, how it is paid, and (from guests) where the receipt goes."""

    email = forms.EmailField(
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text="For the receipt, and to tell you when it is on its way.",
    )
    attempt = forms.UUIDField(widget=forms.HiddenInput)
    seen_total = forms.DecimalField(widget=forms.HiddenInput, max_digits=10, decimal_places=2)

    class Meta:
        model = Address
        fields = list(ADDRESS_AUTOCOMPLETE)
        widgets = {
            name: forms.TextInput(attrs={"autocomplete": value})
            for name, value in ADDRESS_AUTOCOMPLETE.items()
            if name != "country"
        }

    def __init__(self, *args: Any, is_guest: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].widget.attrs["autocomplete"] = ADDRESS_AUTOCOMPLETE["country"]
        if not is_guest:
            del self.fields["email"]
        if "demo" in gateways.offered():
            self.fields["card"] = _card_field()
        self.initial.setdefault("attempt", uuid4())

    def clean(self) -> dict[str, Any] | None:
        _check_that_payment_is_possible()
        return super().clean()

    @property
    def address(self) -> AddressData:
        return AddressData(**{name: str(self.cleaned_data[name]) for name in ADDRESS_AUTOCOMPLETE})

    @property
    def method(self) -> dict[str, str]:
        return {"method": "demo", "card": self.cleaned_data["card"]}
