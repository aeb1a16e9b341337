"""What shoppers type in to order and to pay."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.forms.boundfield import BoundWidget
from django.utils.translation import gettext_lazy as _

from shop import gateways, payments
from shop.checkout import AddressData, Wishes
from shop.drafts import Draft
from shop.forms import ADDRESS_AUTOCOMPLETE, ADDRESS_LABELS
from shop.models import Address, User
from shop.money import SUM_DIGITS


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay on a page: its part of the form, and the template that shows it."""

    name: str
    template: str
    #: What chooses it; None where there is nothing to choose.
    choice: BoundWidget | None
    fields: list[forms.BoundField]


class PaymentChoice(forms.BaseForm):
    """How to pay, in a form: which gateway, and what each of them asks. For the other forms to take up."""

    #: What was chosen; nothing where nothing is to be paid.
    method: Mapping[str, str] = {}

    def offer_payment(self) -> None:
        """Add the fields; called once the form has its own."""
        names = gateways.offered()
        if len(names) > 1:
            self.fields["method"] = forms.ChoiceField(
                label=_("Pay by"),
                choices=[(name, _(gateways.find(name).title)) for name in names],
                initial=names[0],
                required=False,
                widget=forms.RadioSelect,
            )
        for name in names:
            self.fields |= gateways.find(name).form_fields()

    def check_payment(self) -> None:
        """Say what is wrong with the choice, if anything is; called by `clean`."""
        names = gateways.offered()
        if not names:
            self.add_error(None, _("This shop cannot take payments at the moment."))
            return
        kept = {name: self.cleaned_data.get(name) for name in gateways.fields_of(names)}
        method = {"method": self.cleaned_data.get("method") or names[0]}
        self.method = method | {name: str(value) for name, value in kept.items() if value}
        if not set(kept) & set(self.errors):
            try:
                payments.read_method(self.method)
            except gateways.BadMethod as error:
                self.add_error(None, str(error))

    @property
    def has_payment_choice(self) -> bool:
        return "method" in self.fields

    @property
    def ways(self) -> list[Way]:
        names = gateways.offered()
        choices = list(self["method"]) if self.has_payment_choice else [None] * len(names)
        return [
            Way(
                name=name,
                template=f"shop/gateways/{name}.html",
                choice=choice,
                fields=[self[field] for field in gateways.fields_of([name])],
            )
            for name, choice in zip(names, choices, strict=True)
        ]


class PayForm(PaymentChoice, forms.Form):
    """How to pay for an order that waits for it."""

    def __init__(self, *args: Any, is_free: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_free = is_free
        if not is_free:
            self.offer_payment()

    def clean(self) -> dict[str, Any] | None:
        if not self.is_free:
            self.check_payment()
        return super().clean()

    @property
    def ways(self) -> list[Way]:
        return [] if self.is_free else super().ways


class CheckoutForm(PaymentChoice, forms.ModelForm):  # type: ignore[type-arg]  # takes its argument in the stubs alone
    """Where it goes, how it is paid, and (from guests) where the receipt goes.

    The way of delivery and the discount code are not among the fields: they are kept in the draft, and judged
    with the quote.
    """

    email = forms.EmailField(
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("For the receipt, and to tell you when it is on its way."),
    )
    save_address = forms.BooleanField(
        required=False, label=_("Keep this address in your address book")
    )
    note = forms.CharField(
        required=False,
        max_length=500,
        label=_("A note for us"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    terms = forms.BooleanField(
        label=_("I agree to the terms of sale"),
        error_messages={"required": _("Please agree to the terms of sale before you order.")},
    )
    attempt = forms.UUIDField(widget=forms.HiddenInput)
    seen_total = forms.DecimalField(
        widget=forms.HiddenInput, max_digits=SUM_DIGITS, decimal_places=2
    )

    class Meta:
        model = Address
        fields = list(ADDRESS_AUTOCOMPLETE)
        labels = ADDRESS_LABELS
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
        self.offer_payment()
        self.initial.setdefault("attempt", uuid4())

    def clean(self) -> dict[str, Any] | None:
        # An order is placed at the total that was seen, so what was seen to cost nothing needs no payment.
        if self.cleaned_data.get("seen_total") != 0:
            self.check_payment()
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
