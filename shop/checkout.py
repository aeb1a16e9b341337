"""Checkout: from lines and an address to a placed order whose units are held. Nothing is paid here.

One attempt, one order: the attempt's key is unique, and the order's row is made before any unit is taken, so
a second click waits for the first and gets its order. Prices come from the server alone. A line either
brings a reservation that was made for it, at the price that was promised with it, or takes units here.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min
from django.db.models.functions import Now
from django.utils import timezone

from inventory import reservations
from inventory.models import Reservation
from inventory.reservations import Short, Shortage, Want
from shop import carts, orders
from shop.models import Cart, LineItem, Order, ProductImage, User, Variant

__all__ = [
    "AddressData",
    "CartChanged",
    "HoldEnded",
    "OrderLine",
    "Placed",
    "Short",
    "Shortage",
    "Totals",
    "find",
    "lines_of",
    "place_order",
    "total_of",
]


@dataclass(frozen=True, slots=True)
class AddressData:
    """Where an order goes; `country` is an ISO 3166 code of two letters."""

    recipient: str
    street: str
    postcode: str
    city: str
    country: str
    street2: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """What is to be ordered, at the price that the server vouches for.

    `reservation`, when there is one, holds exactly these units and gives the order its time limit.
    """

    variant: Variant
    quantity: int
    unit_price: Decimal
    reservation: Reservation | None = None

    @property
    def name(self) -> str:
        return self.variant.full_name

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity

    @property
    def image(self) -> ProductImage | None:
        return self.variant.image


@dataclass(frozen=True, slots=True)
class Totals:
    subtotal: Decimal
    shipping: Decimal

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.shipping


@dataclass(frozen=True, slots=True)
class Placed:
    """The order of this attempt; `is_new` is False when the attempt came before."""

    order: Order
    is_new: bool


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """A reservation that was brought along is over. Nothing was placed."""

    lines: list[OrderLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CartChanged:
    """The cart is not what the shopper saw: another tab changed or ordered it. Nothing was placed."""


class _NotPlacedError(Exception):
    def __init__(self, outcome: Short | HoldEnded | CartChanged) -> None:
        self.outcome = outcome


def lines_of(cart: Cart | None) -> list[OrderLine]:
    """A cart's lines at today's prices."""
    return [
        OrderLine(variant=line.variant, quantity=line.quantity, unit_price=line.unit_price)
        for line in carts.contents(cart=cart).lines
    ]


def total_of(lines: Sequence[OrderLine]) -> Totals:
    subtotal = sum((line.total for line in lines), Decimal("0.00"))
    return Totals(subtotal=subtotal, shipping=carts.shipping_for(subtotal=subtotal))


def find(*, key: UUID) -> Order | None:
    """The order that this attempt placed, if it did."""
    return Order.objects.filter(key=key).first()


def place_order(
    *,
    key: UUID,
    user: User | None,
    email: str,
    address: AddressData,
    lines: Sequence[OrderLine],
    currency: str = "",
    cart: Cart | None = None,
    on_placed: Callable[[Order], None] | None = None,
) -> Placed | Short | HoldEnded | CartChanged:
    """Place an order: all its lines, or nothing.

    Args:
        key: the attempt; the same key again gives the same order, also when both come at once.
        currency: `settings.CURRENCY` when empty.
        cart: must still hold exactly `lines`, and is emptied of them in the same transaction: two tabs
            cannot both order it.
        on_placed: called once with the new order, in its transaction; what it raises places nothing.
    """
    if not lines or len({line.variant.pk for line in lines}) != len(lines):
        raise ValueError("An order needs lines, one for each variant.")
    known = find(key=key)
    if known is not None:
        return Placed(order=known, is_new=False)
    try:
        with transaction.atomic():
            order = _create(
                key=key,
                user=user,
                email=email,
                address=address,
                totals=total_of(lines),
                currency=currency or settings.CURRENCY,
            )
            if cart is not None:
                _take_from_cart(cart, lines)
            _hold(order, lines)
            orders.record(
                order=order, kind="placed", message="Order placed. What you chose is held for you."
            )
            if on_placed is not None:
                on_placed(order)
            return Placed(order=order, is_new=True)
    except _NotPlacedError as refusal:
        return refusal.outcome
    except IntegrityError:
        known = find(key=key)
        if known is None:
            raise
        # The same attempt came twice at once, and the other one has just committed.
        return Placed(order=known, is_new=False)


def _create(
    *,
    key: UUID,
    user: User | None,
    email: str,
    address: AddressData,
    totals: Totals,
    currency: str,
) -> Order:
    return Order.objects.create(
        key=key,
        user=user,
        email=email,
        currency=currency,
        subtotal=totals.subtotal,
        shipping=totals.shipping,
        total=totals.total,
        expires_at=timezone.now() + timedelta(seconds=settings.ORDER_HOLD_SECONDS),
        **asdict(address),
    )


def _take_from_cart(cart: Cart, lines: Sequence[OrderLine]) -> None:
    # The cart's row makes two tabs wait for one another; the second one finds the cart empty.
    held = Cart.objects.select_for_update().filter(pk=cart.pk).first()
    wanted = {line.variant.pk: line.quantity for line in lines}
    there = carts.contents(cart=held).lines
    if {line.variant.pk: line.quantity for line in there} != wanted:
        raise _NotPlacedError(CartChanged())
    cart.lines.filter(pk__in=[line.pk for line in there]).delete()


def _hold(order: Order, lines: Sequence[OrderLine]) -> None:
    """Give every line its reservation, and the order the time at which the first of them ends."""
    by_variant = _reservations_brought(lines)
    wanting = [line for line in lines if line.reservation is None]
    if wanting:
        outcome = reservations.reserve(
            key=order.key,
            wants=[Want(sku=line.variant.sku, quantity=line.quantity) for line in wanting],
            holder=f"order:{order.pk}",
            seconds=settings.ORDER_HOLD_SECONDS,
        )
        if isinstance(outcome, Short):
            raise _NotPlacedError(outcome)
        by_sku = {reservation.stock.sku: reservation for reservation in outcome.reservations}
        by_variant |= {line.variant.pk: by_sku[line.variant.sku] for line in wanting}
    LineItem.objects.bulk_create(
        LineItem(
            order=order,
            variant=line.variant,
            reservation=by_variant[line.variant.pk],
            sku=line.variant.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
        )
        for line in lines
    )
    ends = Reservation.objects.filter(line_item__order=order).aggregate(first=Min("expires_at"))
    order.expires_at = ends["first"]
    order.save(update_fields=["expires_at"])


def _reservations_brought(lines: Sequence[OrderLine]) -> dict[int, Reservation]:
    brought = {line.reservation.pk: line for line in lines if line.reservation is not None}
    alive = Reservation.objects.select_for_update(of=("self",)).select_related("stock")
    alive = alive.filter(pk__in=brought, state=Reservation.State.HELD, expires_at__gt=Now())
    found = {reservation.pk: reservation for reservation in alive.order_by("pk")}
    ended = [line for pk, line in brought.items() if pk not in found]
    if ended:
        raise _NotPlacedError(HoldEnded(ended))
    for pk, reservation in found.items():
        line = brought[pk]
        if (reservation.stock.sku, reservation.quantity) != (line.variant.sku, line.quantity):
            raise ValueError(
                f"Reservation {pk} does not hold {line.quantity} × {line.variant.sku}."
            )
    return {brought[pk].variant.pk: reservation for pk, reservation in found.items()}
