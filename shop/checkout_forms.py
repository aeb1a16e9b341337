"""What shoppers type in to order and to pay."""

from dataclasses import asdict
from typing import Any
from uuid import uuid4

from django import forms

from shop import gateways
from shop.checkout import AddressData, Wishes
from shop.drafts import Draft
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.gateways.demo import Card
from shop.models import Address, User

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
    """Where it goes, how it is paid, and (from guests) where the receipt goes.

    The way of delivery and the discount code are not among the fields: they are kept in the draft, and judged
    with the quote.
    """

    email = forms.EmailField(
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text="For the receipt, and to tell you when it is on its way.",
    )
    save_address = forms.BooleanField(
        required=False, label="Keep this address in your address book"
    )
    note = forms.CharField(
        required=False,
        max_length=500,
        label="A note for us",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    terms = forms.BooleanField(
        label="I agree to the terms of sale",
        error_messages={"required": "Please agree to the terms of sale before you order."},
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

    def __init__(self, *args: Any, user: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["country"].widget.attrs["autocomplete"] = ADDRESS_AUTOCOMPLETE["country"]
        if user is not None:
            del self.fields["email"]
        if user is None or not user.addresses.exists():
            del self.fields["save_address"]
        if "demo" in gateways.offered():
            self.fields["card"] = _card_field()
        self.initial.setdefault("attempt", uuid4())

    def clean(self) -> dict[str, Any] | None:
        _check_that_payment_is_possible()
        return super().clean()

    @property
    def address(self) -> AddressData:
        return AddressData(**{name: str(self.cleaned_data[name]) for name in ADDRESS_AUTOCOMPLETE})

    def wishes(self, draft: Draft) -> Wishes:
        return Wishes(
            delivery=draft.delivery,
            discount_code=draft.discount_code,
            note=self.cleaned_data["note"],
            terms_accepted=self.cleaned_data["terms"],
            agreed_total=self.cleaned_data["seen_total"],
        )

    @property
    def keeps_address(self) -> bool:
        """Whether the address goes into the book: when the shopper says so, and with the first order."""
        if self.user is None:
            return False
        book = self.user.addresses.all()
        wanted = self.cleaned_data.get("save_address", True)
        return wanted and not book.filter(**asdict(self.address)).exists()

    @property
    def method(self) -> dict[str, str]:
        return {"method": "demo", "card": self.cleaned_data["card"]}
