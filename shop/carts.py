"""Carts: what a shopper means to buy.

A cart promises nothing and holds nothing back; checkout does. A guest's cart is named in the session and
joins the shopper's own at sign-in. Limits are judged when a line changes; what is short is shown again on
every look at the cart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Least
from django.http import HttpRequest

from inventory import stock
from shop.models import Cart, CartLine, ProductImage, User, Variant

SESSION_KEY = "cart_id"
#: Units of one variant in a cart: nobody furnishes more homes than this at once.
MAX_QUANTITY = 20
#: Different variants in a cart; more would be a burden at checkout.
MAX_LINES = 50


@dataclass(frozen=True)
class Changed:
    """The line holds `quantity` now (0: it is gone); `wanted` was asked for, fewer could be had."""

    variant: Variant
    quantity: int
    wanted: int

    @property
    def is_less(self) -> bool:
        return self.quantity < self.wanted


@dataclass(frozen=True)
class Refused:
    """Nothing changed; `reason` tells the shopper why."""

    reason: str


@dataclass(frozen=True)
class PricedLine:
    """A line of a cart at today's price; `available` are the units that could be had now."""

    pk: int
    variant: Variant
    quantity: int
    available: int

    @property
    def unit_price(self) -> Decimal:
        return self.variant.price

    @property
    def total(self) -> Decimal:
        return self.variant.price * self.quantity

    @property
    def is_short(self) -> bool:
        return self.available < self.quantity

    @property
    def name(self) -> str:
        return self.variant.full_name

    @property
    def image(self) -> ProductImage | None:
        return self.variant.image


@dataclass(frozen=True)
class Contents:
    """A cart with its prices."""

    lines: Sequence[PricedLine] = field(default_factory=tuple)

    @property
    def subtotal(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal("0.00"))


def find(*, request: HttpRequest) -> Cart | None:
    """The cart of who asks, if there is one."""
    if request.user.is_authenticated:
        return Cart.objects.filter(user=request.user).first()
    return _guest_cart(request.session.get(SESSION_KEY))


def find_or_open(*, request: HttpRequest) -> Cart:
    """The cart of who asks; a new one is remembered in a guest's session."""
    if request.user.is_authenticated:
        return Cart.objects.get_or_create(user=request.user)[0]
    cart = _guest_cart(request.session.get(SESSION_KEY))
    if cart is None:
        cart = Cart.objects.create()
        request.session[SESSION_KEY] = str(cart.pk)
    return cart


def count(*, request: HttpRequest) -> int:
    """Units in the cart of who asks; no query for a guest who never added anything."""
    user: User | AnonymousUser = request.user
    if user.is_authenticated:
        lines = CartLine.objects.filter(cart__user=user)
    elif SESSION_KEY in request.session:
        lines = CartLine.objects.filter(cart=request.session[SESSION_KEY], cart__user=None)
    else:
        return 0
    units: int | None = lines.filter(variant__is_active=True).aggregate(units=Sum("quantity"))[
        "units"
    ]
    return units or 0


def contents(*, cart: Cart | None) -> Contents:
    """Lines with today's prices and what is available, in three queries whatever the size."""
    if cart is None:
        return Contents()
    lines = list(
        cart.lines.filter(variant__is_active=True, variant__product__is_published=True)
        .select_related("variant__product")
        .prefetch_related("variant__product__images")
    )
    free = stock.available(skus=[line.variant.sku for line in lines]) if lines else {}
    return Contents(
        lines=[
            PricedLine(
                pk=line.pk,
                variant=line.variant,
                quantity=line.quantity,
                available=free[line.variant.sku],
            )
            for line in lines
        ]
    )


def add(*, cart: Cart, sku: str, quantity: int) -> Changed | Refused:
    """Put `quantity` more units into the cart, as many as can be had."""
    variant = _find_variant(sku=sku)
    if variant is None:
        return Refused("This is not for sale any more.")
    with transaction.atomic():
        _hold_still(cart)
        line = cart.lines.filter(variant=variant).first()
        already = line.quantity if line else 0
        if line is None and cart.lines.count() >= MAX_LINES:
            return Refused(f"A cart holds {MAX_LINES} different things. Order these first.")
        outcome = _bounded(variant=variant, wanted=already + quantity)
        if isinstance(outcome, Refused):
            return outcome
        if outcome.quantity <= already:
            return Refused(
                f"Your cart holds all that can be had of {variant.full_name}: {already}."
            )
        cart.lines.update_or_create(variant=variant, defaults={"quantity": outcome.quantity})
        return outcome


def set_quantity(*, cart: Cart, line_pk: int, quantity: int) -> Changed | Refused:
    """Give a line another quantity, as many as can be had; 0 takes it out."""
    if quantity == 0:
        return remove(cart=cart, line_pk=line_pk)
    with transaction.atomic():
        line = (
            cart.lines.select_for_update(of=("self",))
            .select_related("variant__product")
            .filter(pk=line_pk)
            .first()
        )
        if line is None:
            return Refused("This is not in your cart any more.")
        outcome = _bounded(variant=line.variant, wanted=quantity)
        if isinstance(outcome, Changed):
            cart.lines.filter(pk=line_pk).update(quantity=outcome.quantity)
        return outcome


def remove(*, cart: Cart, line_pk: int) -> Changed | Refused:
    """Take a line out; `wanted` of the outcome is what it held, so that it can be put back."""
    line = cart.lines.select_related("variant__product").filter(pk=line_pk).first()
    if line is None or not cart.lines.filter(pk=line_pk).delete()[0]:
        return Refused("This is not in your cart any more.")
    return Changed(variant=line.variant, quantity=0, wanted=line.quantity)


def merge(*, guest_cart_id: str, user: User) -> None:
    """Move a guest's lines into the shopper's own cart at sign-in; the guest's cart is gone afterwards."""
    with transaction.atomic():
        guest = Cart.objects.select_for_update().filter(pk=UUID(guest_cart_id), user=None).first()
        if guest is None:
            return
        own, _ = Cart.objects.get_or_create(user=user)
        _hold_still(own)
        for line in guest.lines.all():
            known = own.lines.filter(variant=line.variant_id).update(
                quantity=Least(F("quantity") + line.quantity, MAX_QUANTITY)
            )
            if not known and own.lines.count() < MAX_LINES:
                own.lines.create(variant_id=line.variant_id, quantity=line.quantity)
        guest.delete()


def _guest_cart(cart_id: str | None) -> Cart | None:
    return Cart.objects.filter(pk=UUID(cart_id), user=None).first() if cart_id else None


def _find_variant(*, sku: str) -> Variant | None:
    return (
        Variant.objects.filter(
            sku=sku.replace("\x00", ""), is_active=True, product__is_published=True
        )
        .select_related("product")
        .first()
    )


def _hold_still(cart: Cart) -> None:
    """Two changes of one cart wait for one another: two tabs that add at once would both read the same
    quantity, and one of the two units would be lost."""
    Cart.objects.select_for_update().get(pk=cart.pk)


def _bounded(*, variant: Variant, wanted: int) -> Changed | Refused:
    if wanted < 1:
        return Refused("Choose at least one.")
    free = stock.available(skus=[variant.sku])[variant.sku]
    if free == 0:
        return Refused(f"{variant.full_name} is sold out.")
    return Changed(variant=variant, quantity=min(wanted, free, MAX_QUANTITY), wanted=wanted)
