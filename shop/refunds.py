"""Refunds: money that goes back, all or a part of it, and the units that come back with it, once.

    pending -> done             pending | done -> refused -> replaced (by another, on a person's wish)

A refund is written down, with its units, in one transaction that holds the order's row; so all refunds of an
order together never give back more than was captured, and the provider checks that again. It is driven
afterwards by `refund_settling`. An order whose money is all back, or on its way, is refunded; until then it stays paid
or shipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from shop import refund_sums, refund_units, timeline
from shop.models import LineItem, Order, PaymentIntent, Refund
from shop.order_states import BrokenOrder, State, change, hold_still, record
from shop.refund_sums import shown
from shop.templatetags.shop import money

Intent = PaymentIntent.State
#: (units, what they cost) for each line, in the order in which their stock is taken.
Goods = Mapping[LineItem, tuple[int, Decimal]]
#: Orders that have money to give back.
REFUNDABLE = (State.PAID, State.FULFILLED)
NOTHING_PAID = "Nothing was paid for it: cancel it instead."


@dataclass(frozen=True, slots=True)
class Started:
    """The refund is written down, and the units are where they belong. The money follows."""

    refund: Refund


@dataclass(frozen=True, slots=True)
class NotRefunded:
    """Nothing changed, because of this."""

    reason: str


class _NotRefundedError(Exception):
    """The message is the reason."""


def refund_in_full(
    *, order: Order, actor: str, reason: str, restock: bool | None = None
) -> Started | NotRefunded:
    """Give back all that is left of what was paid.

    Args:
        restock: whether units go back on the shelf; None: those that were not shipped. Units that were
            neither shipped nor restocked are written off.
    """
    with transaction.atomic():
        order = hold_still(order.pk)
        if order.state not in REFUNDABLE:
            return NotRefunded("Only paid and shipped orders can be refunded.")
        if restock is None:
            restock = order.state == State.PAID
        intent = captured_of(order)
        amount = refund_sums.left_of(intent) if intent else Decimal(0)
        if intent is None or not amount:
            return NotRefunded(NOTHING_PAID)
        goods, delivery = _all_that_is_left(order, amount)
        refund = _write(
            order,
            intent,
            amount=amount,
            goods=goods,
            delivery=delivery,
            restock=restock,
            actor=actor,
            reason=reason,
        )
        return Started(refund)


def refund_part(
    *,
    order: Order,
    units: Mapping[int, int],
    actor: str,
    reason: str,
    delivery: bool = False,
    extra: Decimal = Decimal(0),
    restock: bool = False,
    key: UUID | None = None,
) -> Started | NotRefunded:
    """Give back what some units cost, what delivery cost, and an amount besides.

    Args:
        key: the attempt; it becomes the refund's id, so a form that is sent twice is one refund. The same
            attempt at something else is refused.
        units: units by the primary key of their line item.
        delivery: whether what is left of the price of delivery is part of it.
        extra: an amount besides, in the order's currency.
        restock: whether the units go back on the shelf: those of an order that was not shipped to where they
            were reserved, and it goes out without them; others into the main pool.
    """
    try:
        with transaction.atomic():
            order = hold_still(order.pk)
            known = order.refunds.filter(pk=key).first() if key else None
            if known is not None:
                if not _is_for(known, units, delivery=delivery, extra=extra):
                    raise _NotRefundedError(
                        f"This form was sent before, and started a refund of {shown(known)}. "
                        "Begin anew for another one."
                    )
                return Started(known)
            if order.state not in REFUNDABLE:
                raise _NotRefundedError("Only paid and shipped orders can be refunded.")
            intent = captured_of(order)
            if intent is None:
                raise _NotRefundedError(NOTHING_PAID)
            goods = _costs(order, {pk: count for pk, count in units.items() if count})
            for_delivery = refund_sums.delivery_left(order) if delivery else Decimal(0)
            amount = sum((cost for _, cost in goods.values()), for_delivery + extra)
            left = refund_sums.left_of(intent)
            if extra < 0 or amount <= 0:
                raise _NotRefundedError("Choose units, delivery or an amount to give back.")
            if amount > left:
                raise _NotRefundedError(
                    f"That would be {money(amount, order.currency)}, and at most "
                    f"{money(left, order.currency)} can be given back."
                )
            return Started(
                _write(
                    order,
                    intent,
                    amount=amount,
                    goods=goods,
                    delivery=for_delivery,
                    restock=restock,
                    actor=actor,
                    reason=reason,
                    key=key,
                )
            )
    except _NotRefundedError as refusal:
        return NotRefunded(str(refusal))


def refund_returned(
    *,
    order: Order,
    units: Mapping[int, int],
    owed: Mapping[int, int],
    restock: bool,
    actor: str,
    reason: str,
) -> Refund | None:
    """Give back what is owed for units that are here again, or what of it is left; None when that is nothing.

    Unlike `refund_part` this is never refused: the units have come, whatever was given back before. The order's
    row is held.

    Args:
        units: units by the primary key of their line item.
        owed: those of them whose price goes back with them, likewise.
        restock: whether they go back on the shelf.
    """
    came = {item: units[item.pk] for item in refund_sums.in_order(order) if item.pk in units}
    intent = captured_of(order) if order.state in REFUNDABLE else None
    if intent is not None:
        wanted = {item: owed[item.pk] for item in came}
        goods = _as_far_as_it_goes(wanted, refund_sums.left_of(intent), order=order)
        amount = sum((cost for _, cost in goods.values()), Decimal(0))
        if amount:
            return _write(
                order,
                intent,
                amount=amount,
                goods=goods,
                came=came,
                delivery=Decimal(0),
                restock=restock,
                actor=actor,
                reason=reason,
            )
    if restock:
        refund_units.restock(order, came, actor=actor, reason=reason)
    return None


def give_back_rest(
    intent: PaymentIntent,
    *,
    order: Order,
    reason: str,
    actor: str = "",
    is_for_goods: bool = False,
) -> bool:
    """Write down that all that is left of a captured payment goes back; False when it was done before.

    The order's row is held. The order and its units are the caller's business: it is closed, or was never paid.

    Args:
        is_for_goods: whether this payment is what paid the order's units, and they are what it goes back for. One
            that came when the order had another, or was given up, leaves them alone, and is none of what the
            order's papers say.
    """
    amount = refund_sums.left_of(intent)
    # Cancelling: somebody wanted to let go of it, and the provider says that it was captured.
    captured = PaymentIntent.objects.filter(
        pk=intent.pk, state__in=[Intent.CAPTURED, Intent.CANCELLING]
    )
    to = Intent.REFUNDING if amount else Intent.REFUNDED
    if not captured.update(state=to, updated_at=Now()):
        return False
    if amount:
        goods, delivery = _all_that_is_left(order, amount) if is_for_goods else ({}, Decimal(0))
        refund = _create(
            order,
            intent,
            amount=amount,
            delivery=delivery,
            actor=actor,
            reason=reason,
            is_for_goods=is_for_goods,
        )
        _add_lines(refund, goods, restocked=set(goods))
    return True


def repeat(*, refund: Refund, actor: str) -> Started | NotRefunded:
    """Try a refund that the provider refused once more, as another one: it knows the first by its key."""
    with transaction.atomic():
        order = hold_still(refund.order_id)
        if refund.amount > refund_sums.left_of(refund.intent):
            return NotRefunded("There is not that much left to give back.")
        if not _is_still_owed(refund, order):
            return NotRefunded("What it was for was given back with another refund meanwhile.")
        refused = Refund.objects.filter(pk=refund.pk, state=Refund.State.REFUSED)
        if not refused.update(state=Refund.State.REPLACED, updated_at=Now()):
            return NotRefunded("Only a refund that the provider refused can be tried again.")
        another = _create(
            order,
            refund.intent,
            amount=refund.amount,
            delivery=refund.shipping,
            actor=actor,
            reason=refund.reason,
            is_for_goods=refund.is_for_goods,
        )
        refund.lines.update(refund=another)
        order.returns.filter(refund=refund).update(refund=another)
        if _close_when_empty(order, another.intent):
            restock = order.state == State.PAID
            refund_units.let_go_of_the_rest(order, restock=restock, reason=refund.reason)
        record(
            order=order,
            kind="refund_repeated",
            message=f"A refund of {shown(another)} is tried again.",
            actor=actor,
            is_internal=True,
        )
        return Started(another)


def _is_for(refund: Refund, units: Mapping[int, int], *, delivery: bool, extra: Decimal) -> bool:
    """Whether this is what a refund of a part was asked for."""
    lines = list(refund.lines.all())
    return (
        {line.line_item_id: line.quantity for line in lines}
        == {pk: count for pk, count in units.items() if count}
        and bool(refund.shipping) == delivery
        and refund.amount - refund.shipping - sum(line.amount for line in lines) == extra
    )


def _is_still_owed(refund: Refund, order: Order) -> bool:
    """Whether what a refused refund was for was not given back since, with another one."""
    unrefunded = refund_sums.unrefunded(order)
    return refund.shipping <= refund_sums.delivery_left(order) and all(
        line.quantity <= unrefunded.get(line.line_item, 0)
        for line in refund.lines.select_related("line_item")
    )


def captured_of(order: Order) -> PaymentIntent | None:
    """The payment that paid an order; None for one that came to nothing.

    Raises:
        BrokenOrder: it has none, and should.
    """
    intent = order.payment_intents.filter(state=Intent.CAPTURED).first()
    if intent is None and order.total:
        raise BrokenOrder(f"Order {order.reference} has no captured payment to give back.")
    return intent


def _costs(order: Order, units: Mapping[int, int]) -> Goods:
    items = {item.pk: item for item in refund_sums.in_order(order)}
    if not units.keys() <= items.keys():
        raise _NotRefundedError("These are not lines of this order.")
    goods: dict[LineItem, tuple[int, Decimal]] = {}
    for pk, item in items.items():
        if pk not in units:
            continue
        left = item.quantity - refund_sums.refunded_units(item)
        if not 0 < units[pk] <= left:
            raise _NotRefundedError(f"{item.name}: at most {left} can be refunded.")
        goods[item] = (units[pk], refund_sums.cost_of(item, units[pk], order=order))
    return goods


def _write(
    order: Order,
    intent: PaymentIntent,
    *,
    amount: Decimal,
    goods: Goods,
    delivery: Decimal,
    restock: bool,
    actor: str,
    reason: str,
    came: Mapping[LineItem, int] | None = None,
    key: UUID | None = None,
) -> Refund:
    """The refund, its lines, and what becomes of the order and its units; the order's row is held.

    `came`: the units to restock, where these are others than those that are paid for.
    """
    refund = _create(
        order, intent, amount=amount, delivery=delivery, actor=actor, reason=reason, key=key
    )
    is_closed = _close_when_empty(order, intent)
    back = came or {item: units for item, (units, _) in goods.items()}
    restocked = refund_units.restock(order, back, actor=actor, reason=reason) if restock else set()
    if is_closed:
        refund_units.let_go_of_the_rest(order, restock=restock, reason=reason)
    _add_lines(refund, goods, restocked=restocked)
    record(
        order=order,
        kind="refund_started",
        message=gettext_noop("A refund of %(amount)s was started: %(reason)s."),
        values={"amount": timeline.amount(refund.amount, refund.currency), "reason": reason},
        actor=actor,
    )
    return refund


def _create(
    order: Order,
    intent: PaymentIntent,
    *,
    amount: Decimal,
    delivery: Decimal,
    actor: str,
    reason: str,
    is_for_goods: bool = True,
    key: UUID | None = None,
) -> Refund:
    return Refund.objects.create(
        id=key or uuid4(),
        order=order,
        intent=intent,
        amount=amount,
        shipping=delivery,
        currency=intent.currency,
        reason=reason[:150],
        actor=actor,
        is_for_goods=is_for_goods,
    )


def _add_lines(refund: Refund, goods: Goods, *, restocked: set[LineItem]) -> None:
    for item, (units, cost) in goods.items():
        refund.lines.create(
            line_item=item, quantity=units, amount=cost, is_restocked=item in restocked
        )


def _all_that_is_left(order: Order, amount: Decimal) -> tuple[Goods, Decimal]:
    """What `amount`, all that is left, is for: units first, then delivery."""
    goods = _as_far_as_it_goes(refund_sums.unrefunded(order), amount, order=order)
    for_goods = sum((cost for _, cost in goods.values()), Decimal(0))
    return goods, min(amount - for_goods, refund_sums.delivery_left(order))


def _as_far_as_it_goes(units: Mapping[LineItem, int], amount: Decimal, *, order: Order) -> Goods:
    """What those of the units cost whose price was not given back.

    Less than that, when `amount` is: an amount besides was given back before.
    """
    unrefunded = refund_sums.unrefunded(order)
    goods: dict[LineItem, tuple[int, Decimal]] = {}
    for item, wanted in units.items():
        count = min(wanted, unrefunded.get(item, 0))
        if count:
            cost = min(amount, refund_sums.cost_of(item, count, order=order))
            goods[item] = (count, cost)
            amount -= cost
    return goods


def _close_when_empty(order: Order, intent: PaymentIntent) -> bool:
    """Paid or shipped to refunded, when all that was captured is back or on its way."""
    if refund_sums.left_of(intent) > 0:
        return False
    captured = PaymentIntent.objects.filter(pk=intent.pk, state=Intent.CAPTURED)
    # Otherwise it is closed already, or another payment is what paid it.
    if not captured.update(state=Intent.REFUNDING, updated_at=Now()):
        return False
    return change(order=order, states=list(REFUNDABLE), to=State.REFUNDED, closed_at=Now())
