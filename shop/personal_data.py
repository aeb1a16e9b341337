"""The shop's tables about a person, for `privacy`."""

from collections.abc import Iterator

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.authtoken.models import Token

from inventory.models import Reservation
from shop import payments, returns
from shop.models import (
    Address,
    Cart,
    CartLine,
    DiscountUse,
    IdempotentAnswer,
    Invoice,
    LineItem,
    Order,
    OrderEvent,
    OutgoingMail,
    PaymentIntent,
    Refund,
    RefundLine,
    Return,
    ReturnLine,
    Review,
    StockAlert,
    StockOffer,
    User,
    Wish,
)
from shop.privacy import Part

#: What an order says about a person when they are forgotten; its country stays, for the tax.
NOBODY = {
    "email": "",
    "recipient": "–",
    "street": "–",
    "street2": "",
    "postcode": "–",
    "city": "–",
    "note": "",
    "tracking_number": "",
    "tracking_url": "",
}


def _answers(user: User) -> Q:
    return Q(scope__startswith=f"{user.pk} ") | Q(scope__startswith=f"{user.shopper_id} ")


#: In the order in which they are deleted: what points at others comes before them.
PARTS = [
    Part(User, lambda user: Q(pk=user.pk), keep={}, hidden=frozenset({"password"})),
    Part(
        EmailConfirmation,
        lambda user: Q(email_address__user=user),
        hidden=frozenset({"key"}),
    ),
    Part(EmailAddress, lambda user: Q(user=user)),
    Part(Token, lambda user: Q(user=user), hidden=frozenset({"key"})),
    Part(Authenticator, lambda user: Q(user=user), hidden=frozenset({"data"})),
    Part(LogEntry, lambda user: Q(user=user), keep={}),
    Part(Address, lambda user: Q(user=user)),
    Part(CartLine, lambda user: Q(cart__user=user)),
    Part(Cart, lambda user: Q(user=user)),
    Part(Wish, lambda user: Q(user=user)),
    Part(Review, lambda user: Q(user=user)),
    Part(StockOffer, lambda user: Q(alert__user=user)),
    Part(StockAlert, lambda user: Q(user=user) | Q(email__iexact=user.email)),
    # What a mail was written with holds signed links, which are worth what a password is.
    Part(
        OutgoingMail,
        lambda user: Q(order=None, to__iexact=user.email),
        hidden=frozenset({"context"}),
    ),
    Part(IdempotentAnswer, _answers),
    Part(
        OutgoingMail,
        lambda user: Q(order__user=user),
        keep={"to": "", "context": {}},
        hidden=frozenset({"context"}),
    ),
    Part(OrderEvent, lambda user: Q(order__user=user, is_internal=False), keep={}),
    Part(LineItem, lambda user: Q(order__user=user), keep={}),
    Part(PaymentIntent, lambda user: Q(order__user=user), keep={}, hidden=frozenset({"action"})),
    Part(RefundLine, lambda user: Q(refund__order__user=user), keep={}),
    Part(Refund, lambda user: Q(order__user=user), keep={}),
    Part(ReturnLine, lambda user: Q(parcel__order__user=user), keep={}),
    Part(Return, lambda user: Q(order__user=user), keep={"reason": "–", "answer": ""}),
    Part(Invoice, lambda user: Q(order__user=user), keep={}),
    Part(DiscountUse, lambda user: Q(order__user=user), keep={"email": ""}),
    Part(Order, lambda user: Q(user=user), keep=NOBODY),
]


def reasons_against(user: User) -> Iterator[str]:
    own = Order.objects.filter(user=user)
    if user.is_staff:
        yield _("This account works here. Ask a superuser.")
    if own.filter(state=Order.State.PENDING).exists():
        yield _("An order waits for its payment. Pay or cancel it first.")
    if own.filter(state=Order.State.PAID).exists():
        yield _("An order that you paid is not shipped yet: we need the address.")
    unfinished = PaymentIntent.objects.filter(order__user=user, state__in=payments.UNFINISHED)
    if unfinished.exclude(order__state=Order.State.PENDING).exists():
        yield _("A payment is not finished yet.")
    if Return.objects.filter(order__user=user, state__in=returns.OPEN).exists():
        yield _("A return is open.")
    if Refund.objects.filter(order__user=user, state=Refund.State.PENDING).exists():
        yield _("A refund is on its way to you.")
    held = Reservation.objects.filter(state=Reservation.State.HELD)
    if held.filter(stock_offer__alert__user=user, stock_offer__order=None).exists():
        yield _("Something is held for you. Order it or let it go first.")


def forget(user: User) -> None:
    """Take out of what is kept who did it, and why they sent things back."""
    OrderEvent.objects.filter(order__user=user, actor__iexact=user.email).update(actor="")
    OrderEvent.objects.filter(order__user=user, kind="return_requested").update(
        message="Return asked for: –", values={"reason": "–"}
    )
    Refund.objects.filter(order__user=user, actor__iexact=user.email).update(actor="")
