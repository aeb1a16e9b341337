"""Carts: what a shopper means to buy.

A cart promises nothing and holds nothing back; checkout does. A guest's cart is named in the session and
joins the shopper's own at sign-in. Limits are judged when a line changes; what is short is shown again on
every look at the cart. Lines can be put aside for later. What has changed since the shopper looked last is
told by `cart_news`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Least
from django.http import HttpRequest
from django.utils.translation import gettext as _

from inventory import stock
from shop.models import Address, Cart, CartLine, ProductImage, User, Variant

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
    is_for_sale: bool = True
    #: Put aside for later.
    is_saved: bool = False
    known_price: Decimal | None = None
    known_units: int | None = None
    known_for_sale: bool = True

    @property
    def units(self) -> int:
        """How many of those that are wanted can be had."""
        return min(self.quantity, self.available)

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
    """A cart with its prices: what is ordered with it, what was put aside, and what is gone from sale.

    `home` is the country of the first address in its shopper's book; None: there is none.
    """

    lines: Sequence[PricedLine] = ()
    saved: Sequence[PricedLine] = ()
    gone: Sequence[PricedLine] = ()
    home: str | None = None

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
    shown = _lines_of(request).filter(
        variant__is_active=True, variant__product__is_published=True, is_saved=False
    )
    units: int | None = shown.aggregate(units=Sum("quantity"))["units"]
    return units or 0


def contents_of(*, request: HttpRequest) -> Contents:
    """The contents of the cart of who asks, without a look at the cart itself."""
    return _contents(_lines_of(request))


def contents(*, cart: Cart | None) -> Contents:
    """Lines with today's prices and what is available, in two queries whatever the size."""
    return _contents(cart.lines.all()) if cart else Contents()


def _lines_of(request: HttpRequest) -> QuerySet[CartLine]:
    user: User | AnonymousUser = request.user
    if user.is_authenticated:
        return CartLine.objects.filter(cart__user=user)
    if SESSION_KEY in request.session:
        return CartLine.objects.filter(cart=request.session[SESSION_KEY], cart__user=None)
    return CartLine.objects.none()


def _contents(lines: QuerySet[CartLine]) -> Contents:
    addresses = Address.objects.filter(user=OuterRef("cart__user"))
    rows = list(
        lines.select_related("variant__product")
        .prefetch_related("variant__product__images")
        .annotate(
            available=stock.available_of("variant__sku"),
            home=Subquery(addresses.values("country")[:1]),
        )
    )
    priced = [_priced(row, row.available) for row in rows]
    for_sale = [line for line in priced if line.is_for_sale]
    return Contents(
        lines=[line for line in for_sale if not line.is_saved],
        saved=[line for line in for_sale if line.is_saved],
        gone=[line for line in priced if not line.is_for_sale],
        home=rows[0].home if rows else None,
    )


def _priced(row: CartLine, available: int) -> PricedLine:
    return PricedLine(
        pk=row.pk,
        variant=row.variant,
        quantity=row.quantity,
        available=available,
        is_for_sale=row.variant.is_active and row.variant.product.is_published,
        is_saved=row.is_saved,
        known_price=row.known_price,
        known_units=row.known_units,
        known_for_sale=row.known_for_sale,
    )


def add(*, cart: Cart, sku: str, quantity: int) -> Changed | Refused:
    """Put `quantity` more units into the cart, as many as can be had."""
    variant = _find_variant(sku=sku)
    if variant is None:
        return Refused(_("This is not for sale any more."))
    with transaction.atomic():
        _hold_still(cart)
        line = cart.lines.filter(variant=variant).first()
        already = line.quantity if line and not line.is_saved else 0
        if line is None and cart.lines.count() >= MAX_LINES:
            return Refused(
                _("A cart holds %(most)s different things. Order these first.")
                % {"most": MAX_LINES}
            )
        outcome = _bounded(variant=variant, wanted=already + quantity)
        if isinstance(outcome, Refused):
            return outcome
        if outcome.quantity <= already:
            return Refused(
                _("Your cart holds all that can be had of %(name)s: %(already)s.")
                % {"name": variant.full_name, "already": already}
            )
        cart.lines.update_or_create(variant=variant, defaults=_in_cart(outcome))
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
            return Refused(_("This is not in your cart any more."))
        outcome = _bounded(variant=line.variant, wanted=quantity)
        if isinstance(outcome, Changed):
            cart.lines.filter(pk=line_pk).update(
                quantity=outcome.quantity, known_units=outcome.quantity
            )
        return outcome


def remove(*, cart: Cart, line_pk: int) -> Changed | Refused:
    """Take a line out; `wanted` of the outcome is what it held, so that it can be put back."""
    line = cart.lines.select_related("variant__product").filter(pk=line_pk).first()
    if line is None or not cart.lines.filter(pk=line_pk).delete()[0]:
        return Refused(_("This is not in your cart any more."))
    return Changed(variant=line.variant, quantity=0, wanted=line.quantity)


def save_for_later(*, cart: Cart, line_pk: int) -> Variant | None:
    """Put a line aside: it stays with the cart and is not ordered; None when it is not there any more."""
    line = cart.lines.select_related("variant__product").filter(pk=line_pk).first()
    if line is None or not cart.lines.filter(pk=line_pk).update(is_saved=True):
        return None
    return line.variant


def take_back(*, cart: Cart, line_pk: int) -> Changed | Refused:
    """Let a line that was put aside be ordered again, as many of it as can be had."""
    with transaction.atomic():
        line = (
            cart.lines.select_for_update(of=("self",))
            .select_related("variant__product")
            .filter(pk=line_pk)
            .first()
        )
        if line is None:
            return Refused(_("This is not in your cart any more."))
        outcome = _bounded(variant=line.variant, wanted=line.quantity)
        if isinstance(outcome, Changed):
            cart.lines.filter(pk=line_pk).update(**_in_cart(outcome))
        return outcome


def merge(*, guest_cart_id: str, user: User) -> None:
    """Move a guest's lines into the shopper's own cart at sign-in; the guest's cart is gone afterwards."""
    with transaction.atomic():
        guest = Cart.objects.select_for_update().filter(pk=UUID(guest_cart_id), user=None).first()
        if guest is None:
            return
        own, _ = Cart.objects.get_or_create(user=user)
        _hold_still(own)
        for line in guest.lines.all():
            _join(own, line)
        guest.delete()


def _join(own: Cart, line: CartLine) -> None:
    """Add a guest's line. What is to be ordered on either side is to be ordered afterwards."""
    same = own.lines.filter(variant=line.variant_id)
    alike = same.filter(is_saved=line.is_saved)
    if alike.update(quantity=Least(F("quantity") + line.quantity, MAX_QUANTITY)):
        return
    if not line.is_saved and same.update(is_saved=False, quantity=line.quantity):
        return
    if not same.exists() and own.lines.count() < MAX_LINES:
        line.pk, line.cart, line._state.adding = None, own, True
        line.save(force_insert=True)


def _in_cart(outcome: Changed) -> dict[str, Any]:
    """What a line holds when its shopper has just seen the price, and how many there are."""
    return {
        "quantity": outcome.quantity,
        "is_saved": False,
        "known_price": outcome.variant.price,
        "known_units": outcome.quantity,
        "known_for_sale": True,
    }


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
        return Refused(_("Choose at least one."))
    free = stock.available(skus=[variant.sku])[variant.sku]
    if free == 0:
        return Refused(_("%(name)s is sold out.") % {"name": variant.full_name})
    return Changed(variant=variant, quantity=min(wanted, free, MAX_QUANTITY), wanted=wanted)
