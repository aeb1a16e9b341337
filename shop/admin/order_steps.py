"""The steps by which staff change one order, each with its form, from the order's own page."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from shop import orders, refund_sums, refunds, returns
from shop.admin.order_forms import (
    NoteForm,
    OrderForm,
    ReceiveReturnForm,
    RefundAllForm,
    RefundPartForm,
    RefuseReturnForm,
    SeenForm,
    ShipForm,
)
from shop.models import Order, Return

CHANGE, REFUND = "shop.change_order", "shop.refund_order"
STALE = "The order is not any more as you saw it. Nothing was changed."


@dataclass(frozen=True, slots=True)
class Step:
    """Something that staff do with an order. `run` takes a valid form and who it is, and returns a refusal or ""."""

    label: str
    explanation: str
    done: str
    permission: str
    form: type[OrderForm]
    is_open: Callable[[Order], bool]
    run: Callable[[OrderForm, str], str]
    #: What else staff are told when it is done.
    told: Callable[[Order], str] = lambda order: ""


def _in(*states: Order.State) -> Callable[[Order], bool]:
    return lambda order: order.state in states


def _has_return(*states: Return.State) -> Callable[[Order], bool]:
    def is_open(order: Order) -> bool:
        parcel = returns.open_return(order)
        return parcel is not None and parcel.state in states

    return is_open


def _ship(form: OrderForm, actor: str) -> str:
    return "" if orders.fulfil(order=form.order, actor=actor, **form.cleaned_data) else STALE


def _cancel(form: OrderForm, actor: str) -> str:
    if not isinstance(form, SeenForm) or form.is_stale:
        return STALE
    reason = form.cleaned_data["reason"]
    return "" if orders.cancel(order=form.order, actor=actor, reason=reason) else STALE


def _refund_all(form: OrderForm, actor: str) -> str:
    if not isinstance(form, SeenForm) or form.is_stale:
        return STALE
    return _told(
        refunds.refund_in_full(
            order=form.order,
            actor=actor,
            reason=form.cleaned_data["reason"],
            restock=form.cleaned_data["restock"],
        )
    )


def _refund_part(form: OrderForm, actor: str) -> str:
    if not isinstance(form, RefundPartForm):
        raise TypeError("A refund of a part has its own form.")
    return _told(
        refunds.refund_part(
            order=form.order,
            units=form.units,
            delivery=form.cleaned_data.get("delivery", False),
            extra=form.cleaned_data["amount"] or Decimal(0),
            restock=form.cleaned_data["restock"],
            actor=actor,
            reason=form.cleaned_data["reason"],
            key=form.cleaned_data["attempt"],
        )
    )


def _note(form: OrderForm, actor: str) -> str:
    orders.note(
        order=form.order,
        text=form.cleaned_data["text"],
        actor=actor,
        is_internal=not form.cleaned_data["is_for_shopper"],
    )
    return ""


def _with_return(
    act: Callable[[Return, OrderForm, str], returns.Done | returns.NotDone],
) -> Callable[[OrderForm, str], str]:
    def run(form: OrderForm, actor: str) -> str:
        parcel = returns.open_return(form.order)
        if parcel is None:
            return STALE
        outcome = act(parcel, form, actor)
        return outcome.reason if isinstance(outcome, returns.NotDone) else ""

    return run


def _told(outcome: refunds.Started | refunds.NotRefunded) -> str:
    return outcome.reason if isinstance(outcome, refunds.NotRefunded) else ""


def _given_back(order: Order) -> str:
    parcel = order.returns.filter(state=Return.State.RECEIVED).latest("settled_at")
    if parcel.refund is None:
        return "Nothing goes back: it was given back before"
    return f"{refund_sums.shown(parcel.refund)} goes back to the shopper"


PENDING, PAID, FULFILLED = Order.State.PENDING, Order.State.PAID, Order.State.FULFILLED

STEPS = {
    "ship": Step(
        label="Mark as shipped",
        explanation="Its units leave the stock, and the shopper gets a mail with what you fill in here.",
        done="Shipped",
        permission=CHANGE,
        form=ShipForm,
        is_open=_in(PAID),
        run=_ship,
    ),
    "approve-return": Step(
        label="Agree to the return",
        explanation="The shopper is told where to send it.",
        done="Agreed to the return",
        permission=CHANGE,
        form=OrderForm,
        is_open=_has_return(Return.State.REQUESTED),
        run=_with_return(lambda parcel, form, actor: returns.approve(parcel=parcel, actor=actor)),
    ),
    "receive-return": Step(
        label="Receive the return",
        explanation="What its units cost goes back to the shopper. Units of these lines that were refunded since "
        "it was asked for count as its own, and nothing goes back for them again.",
        done="Received the return",
        permission=REFUND,
        form=ReceiveReturnForm,
        is_open=_has_return(Return.State.APPROVED),
        run=_with_return(
            lambda parcel, form, actor: returns.receive(
                parcel=parcel, actor=actor, restock=form.cleaned_data["restock"]
            )
        ),
        told=_given_back,
    ),
    "refuse-return": Step(
        label="Refuse the return",
        explanation="The shopper is told why.",
        done="Refused the return",
        permission=CHANGE,
        form=RefuseReturnForm,
        is_open=_has_return(*returns.OPEN),
        run=_with_return(
            lambda parcel, form, actor: returns.refuse(
                parcel=parcel, actor=actor, answer=form.cleaned_data["answer"]
            )
        ),
    ),
    "refund-part": Step(
        label="Refund a part",
        explanation="Units, delivery, or an amount. The money goes back the way it came.",
        done="Refund started",
        permission=REFUND,
        form=RefundPartForm,
        is_open=_in(PAID, FULFILLED),
        run=_refund_part,
    ),
    "refund": Step(
        label="Refund in full",
        explanation="All that is left of what was paid goes back to the shopper.",
        done="Refund started",
        permission=REFUND,
        form=RefundAllForm,
        is_open=_in(PAID, FULFILLED),
        run=_refund_all,
    ),
    "cancel": Step(
        label="Cancel the order",
        explanation="Its units go back on the shelf, and what was paid goes back to the shopper.",
        done="Cancelled",
        permission=REFUND,
        form=SeenForm,
        is_open=_in(PENDING, PAID),
        run=_cancel,
    ),
    "note": Step(
        label="Add a note",
        explanation="It stands on the order's timeline, with your name.",
        done="Noted",
        permission=CHANGE,
        form=NoteForm,
        is_open=lambda order: True,
        run=_note,
    ),
}
