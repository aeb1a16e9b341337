"""What shoppers type in, but for the checkout: cart, address book, own details, reviews, alerts."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from shop.carts import MAX_QUANTITY
from shop.models import Address, Review, User
from shop.reviews import LONGEST_BODY

#: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofill
ADDRESS_AUTOCOMPLETE = {
    "recipient": "name",
    "street": "address-line1",
    "street2": "address-line2",
    "postcode": "postal-code",
    "city": "address-level2",
    "country": "country",
}


ADDRESS_LABELS = {"postcode": _("Postcode"), "city": _("City"), "country": _("Country")}


class AddToCartForm(forms.Form):
    sku = forms.CharField(max_length=64, widget=forms.HiddenInput)
    quantity = forms.IntegerField(
        label=_("Quantity"), min_value=1, max_value=MAX_QUANTITY, initial=1
    )


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=999)


class AddressForm(forms.ModelForm):
    class Meta:
        model = Address
        fields = [*ADDRESS_AUTOCOMPLETE, "is_default"]
        labels = {**ADDRESS_LABELS, "is_default": _("Use this address first")}
        widgets = {
            name: forms.TextInput(attrs={"autocomplete": value})
            for name, value in ADDRESS_AUTOCOMPLETE.items()
            if name != "country"
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        self.fields["country"].widget.attrs["autocomplete"] = ADDRESS_AUTOCOMPLETE["country"]


class DetailsForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name"]
        labels = {"name": _("Your name")}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class ReviewForm(forms.ModelForm):
    """Plain text: what looks like HTML is shown as it was typed."""

    rating = forms.TypedChoiceField(
        label=_("Stars"),
        coerce=int,
        choices=[(5, "5"), (4, "4"), (3, "3"), (2, "2"), (1, "1")],
        widget=forms.RadioSelect,
    )
    body = forms.CharField(
        label=_("What you think"),
        max_length=LONGEST_BODY,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    class Meta:
        model = Review
        fields = ["rating", "title", "body"]
        labels = {"title": _("In a few words")}


class StockAlertForm(forms.Form):
    """A guest's address; an account has one."""

    email = forms.EmailField(
        label=_("Email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def __init__(self, *args: Any, user: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if user is not None:
            del self.fields["email"]


class FindOrderForm(forms.Form):
    """What a guest still knows of an order."""

    reference = forms.CharField(
        label=_("Order number"),
        max_length=40,
        help_text=_("Such as K7MX-4QPD-9TRW."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    email = forms.EmailField(
        label=_("Email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class DeleteAccountForm(forms.Form):
    """The password again: a browser that was left open must not be enough."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This is not your password."))
        return password
