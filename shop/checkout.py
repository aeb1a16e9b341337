"""Checkout: from lines and an address to a placed order whose units are held. Nothing is paid here.

One attempt, one order: the attempt's key is unique, and the order's row is made before any unit is taken, so
a second click waits for the first and gets its order. Prices come from the server alone, and totals from
`quotes`. A line either brings a reservation that was made for it, at the price that was promised with it, or
takes units here.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import get_language, gettext_noop

from inventory import reservations
from inventory.models import Reservation
from inventory.reservations import Short, Shortage, Want
from shop import carts, discounts, orders, quotes
from shop.carts import Contents
from shop.discounts import Buyer, CodeRefused
from shop.models import Cart, LineItem, Order, User
from shop.order_lines import OrderLine
from shop.quotes import Quote
from shop.shipping import Offer

__all__ = [
    "AddressData",
    "CartChanged",
    "CodeRefused",
    "HoldEnded",
    "NotDelivered",
    "OrderLine",
    "Placed",
    "Short",
    "Shortage",
    "TooManyUnpaid",
    "TotalChanged",
    "Wishes",
    "find",
    "lines_of",
    "order_lines",
    "place_order",
    "unpaid_with",
]


#: What an order keeps of its quote, under the same names.
QUOTED = (
    "subtotal",
    "discount",
    "discount_code",
    "shipping",
    "shipping_method",
    "tax",
    "tax_name",
    "tax_is_included",
    "total",
)


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
class Wishes:
    """What a shopper may say about an order besides where it goes.

    `delivery` is the id of an offer; None takes the first. `agreed_total` is what they saw and agreed to.
    """

    delivery: int | None = None
    discount_code: str = ""
    note: str = ""
    terms_accepted: bool = False
    agreed_total: Decimal | None = None


NO_WISHES = Wishes()


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


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """Nothing goes there, or not in the way that was wished; these would. Nothing was placed."""

    offers: Sequence[Offer]


@dataclass(frozen=True, slots=True)
class TotalChanged:
    """It costs something else than what the shopper agreed to. Nothing was placed."""

    total: Decimal


@dataclass(frozen=True, slots=True)
class TooManyUnpaid:
    """The shopper has left as many orders unpaid as they may; these. Nothing was placed."""

    orders: Sequence[Order]


Refusal = (
    Short | HoldEnded | CartChanged | NotDelivered | CodeRefused | TotalChanged | TooManyUnpaid
)


class _NotPlacedError(Exception):
    def __init__(self, outcome: Refusal) -> None:
        self.outcome = outcome


def lines_of(cart: Cart | None) -> list[OrderLine]:
    """A cart's lines at today's prices."""
    return order_lines(carts.contents(cart=cart))


def order_lines(contents: Contents) -> list[OrderLine]:
    return [
        OrderLine(variant=line.variant, quantity=line.quantity, unit_price=line.unit_price)
        for line in contents.lines
    ]


def find(*, key: UUID) -> Order | None:
    """The order that this attempt placed, if it did."""
    return Order.objects.filter(key=key).first()


def unpaid_with(*, skus: Sequence[str], user: User | None, known: Sequence[str]) -> list[Order]:
    """A shopper's own unpaid orders that hold some of these SKUs: what is short may be theirs already.

    Args:
        known: ids of the orders that a guest's session remembers.
    """
    holding = _own(user, known).filter(state=Order.State.PENDING, line_items__sku__in=skus)
    return [order for order in holding.distinct() if orders.is_alive(order)]


def _own(user: User | None, known: Sequence[str]) -> QuerySet[Order]:
    return (
        Order.objects.filter(user=user) if user else Order.objects.filter(user=None, pk__in=known)
    )


def place_order(
    *,
    key: UUID,
    user: User | None,
    email: str,
    address: AddressData,
    lines: Sequence[OrderLine],
    wishes: Wishes = NO_WISHES,
    currency: str = "",
    known: Sequence[str] = (),
    cart: Cart | None = None,
    extension_seconds: int | None = None,
    on_placed: Callable[[Order], None] | None = None,
) -> Placed | Refusal:
    """Place an order: all its lines, or nothing.

    Args:
        key: the attempt; the same key again gives the same order, also when both come at once.
        currency: `settings.CURRENCY` when empty.
        known: ids of the orders that a guest's session remembers.
        cart: must still hold exactly `lines`, and is emptied of them in the same transaction: two tabs
            cannot both order it.
        extension_seconds: how much longer the units may be held, once, for a shopper who asks;
            `settings.ORDER_EXTENSION_SECONDS` when None.
        on_placed: called once with the new order, in its transaction; what it raises places nothing.
    """
    placed = find(key=key)
    if placed is not None:
        return Placed(order=placed, is_new=False)
    if not lines or len({line.variant.pk for line in lines}) != len(lines):
        raise ValueError("An order needs lines, one for each variant.")
    quote = quotes.quote(
        lines=lines,
        country=address.country,
        delivery=wishes.delivery,
        code=wishes.discount_code,
        buyer=Buyer(user=user, email=email),
    )
    refusal = _not_as_wished(quote, wishes)
    if refusal is not None:
        # The first of two clicks may have had the code's last use a moment ago.
        placed = find(key=key)
        return refusal if placed is None else Placed(order=placed, is_new=False)
    order = Order(
        key=key,
        user=user,
        email=email,
        currency=currency or settings.CURRENCY,
        language=get_language() or "",
        note=wishes.note,
        terms_accepted_at=timezone.now() if wishes.terms_accepted else None,
        expires_at=timezone.now() + timedelta(seconds=settings.ORDER_HOLD_SECONDS),
        extension_seconds=settings.ORDER_EXTENSION_SECONDS
        if extension_seconds is None
        else extension_seconds,
        **{name: getattr(quote, name) for name in QUOTED},
        **asdict(address),
    )
    outcome = _place(order, quote, known=known, cart=cart, on_placed=on_placed)
    # Out of the transaction: tidying up inside it would take stock rows out of their order.
    if isinstance(outcome, Short) and reservations.expire_of(
        skus=[line.variant.sku for line in lines]
    ):
        outcome = _place(order, quote, known=known, cart=cart, on_placed=on_placed)
    return outcome


def _place(
    order: Order,
    quote: Quote,
    *,
    known: Sequence[str],
    cart: Cart | None,
    on_placed: Callable[[Order], None] | None,
) -> Placed | Refusal:
    """Write the order with all that belongs to it, in one transaction, or nothing."""
    try:
        with transaction.atomic():
            order.save(force_insert=True)
            _leave_some_to_others(order, quote, known)
            if cart is not None:
                _take_from_cart(cart, [quoted.line for quoted in quote.lines])
            _hold(order, quote)
            _use_code(order, quote)
            orders.record(
                order=order,
                kind="placed",
                message=gettext_noop("Order placed. What you chose is held for you."),
            )
            if on_placed is not None:
                on_placed(order)
            return Placed(order=order, is_new=True)
    except _NotPlacedError as refused:
        return refused.outcome
    except IntegrityError:
        placed = find(key=order.key)
        if placed is None:
            raise
        # The same attempt came twice at once, and the other one has just committed.
        return Placed(order=placed, is_new=False)


def _not_as_wished(quote: Quote, wishes: Wishes) -> Refusal | None:
    if quote.offer is None or wishes.delivery not in (None, quote.offer.id):
        return NotDelivered(quote.offers)
    if quote.refusal is not None:
        return quote.refusal
    if wishes.agreed_total not in (None, quote.total):
        return TotalChanged(quote.total)
    return None


def _leave_some_to_others(order: Order, quote: Quote, known: Sequence[str]) -> None:
    """Anybody could hold the whole shelf by ordering it.

    Lines that bring a reservation were limited where it was made.
    """
    if all(quoted.line.reservation is not None for quoted in quote.lines):
        return
    if order.user_id is not None:
        # The account's row makes its orders wait for one another: the next one counts this one.
        User.objects.select_for_update(no_key=True).get(pk=order.user_id)
    unpaid = _own(order.user, known).filter(
        state=Order.State.PENDING,
        expires_at__gt=Now(),
        line_items__reservation__holder__startswith="order:",
    )
    others = list(unpaid.exclude(pk=order.pk).distinct())
    if len(others) >= settings.MAX_UNPAID_ORDERS:
        raise _NotPlacedError(TooManyUnpaid(others))


def _take_from_cart(cart: Cart, lines: Sequence[OrderLine]) -> None:
    # The cart's row makes two tabs wait for one another; the second one finds the cart empty.
    held = Cart.objects.select_for_update().filter(pk=cart.pk).first()
    wanted = {line.variant.pk: line.quantity for line in lines}
    there = carts.contents(cart=held).lines
    if {line.variant.pk: line.quantity for line in there} != wanted:
        raise _NotPlacedError(CartChanged())
    cart.lines.filter(pk__in=[line.pk for line in there]).delete()


def _hold(order: Order, quote: Quote) -> None:
    """Give every line its reservation, and the order the time at which the first of them ends."""
    lines = [quoted.line for quoted in quote.lines]
    by_variant = _reservations_brought(lines)
    wanting = [line for line in lines if line.reservation is None]
    if wanting:
        outcome = reservations.reserve(
            key=order.key,
            wants=[Want(sku=line.variant.sku, quantity=line.quantity) for line in wanting],
            holder=f"order:{order.pk}",
            seconds=settings.ORDER_HOLD_SECONDS,
            tidies=False,
        )
        if isinstance(outcome, Short):
            raise _NotPlacedError(outcome)
        by_sku = {reservation.stock.sku: reservation for reservation in outcome.reservations}
        by_variant |= {line.variant.pk: by_sku[line.variant.sku] for line in wanting}
    LineItem.objects.bulk_create(
        LineItem(
            order=order,
            variant=quoted.line.variant,
            reservation=by_variant[quoted.line.variant.pk],
            sku=quoted.line.variant.sku,
            name=quoted.line.name,
            quantity=quoted.line.quantity,
            unit_price=quoted.line.unit_price,
            discount=quoted.discount,
            tax_percent=quoted.tax_percent,
            tax=quoted.tax,
        )
        for quoted in quote.lines
    )
    ends = Reservation.objects.filter(line_item__order=order).aggregate(first=Min("expires_at"))
    order.expires_at = ends["first"]
    order.save(update_fields=["expires_at"])


def _use_code(order: Order, quote: Quote) -> None:
    refused = discounts.use(applied=quote.applied, order=order) if quote.applied else None
    if refused is not None:
        raise _NotPlacedError(refused)


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
