"""Back in stock: whoever was first gets a mail, and a unit that is held for them.

Beat looks for variants that can be had and that somebody waits for. Each unit is held for the one who has waited
longest and was not asked about these units yet (`StockOffer`: once for each person and arrival), and a signed link
leads to its checkout. What is let go, or not ordered in time, is offered to the next.

One run at a time works on a variant: it holds the variant's row, and another run passes it by. Without that, two runs
would pick the same person, and one of them would fail on the unique offer; or the second would serve the second
person while the first still looked for a unit.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import get_language

from inventory import reservations, stock
from inventory.models import Reservation, Stock, StockMovement
from inventory.reservations import Held, Want
from shop import mails
from shop.models import Order, StockAlert, StockOffer, User, Variant
from shop.order_lines import OrderLine

#: Offers that one run makes: a second's work.
BATCH = 100
#: Days for which an address that nobody confirmed is kept.
UNCONFIRMED_DAYS = 7
_SALT = "holdfast.stock-alert"


class State(StrEnum):
    """Where an offer stands."""

    HELD = "held"
    ORDERED = "ordered"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Asked:
    """The alert is kept; `is_confirmed` is False while a guest has not said yes from the mail."""

    alert: StockAlert
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class CanBeHad:
    """There is nothing to wait for."""


def ask(*, variant: Variant, email: str, user: User | None) -> Asked | CanBeHad:
    """Remember who wants to know, once for each address; a guest is asked by mail whether it was them."""
    if stock.available(skus=[variant.sku])[variant.sku]:
        return CanBeHad()
    email = user.email if user else email.lower()
    with transaction.atomic():
        alert, _ = StockAlert.objects.get_or_create(
            variant=variant,
            email=email,
            ordered_at=None,
            defaults={"user": user, "language": get_language() or ""},
        )
        if user is not None:
            # Perhaps they had asked as a guest before; their place is that of their first yes.
            StockAlert.objects.filter(pk=alert.pk).update(user=user)
            confirm(alert)
            return Asked(alert=alert, is_confirmed=True)
        if alert.confirmed_at is None:
            mails.write(
                key=f"stock-alert:{alert.pk}",
                template="stock_alert_confirm",
                to=email,
                language=alert.language,
                context={"item_name": variant.full_name, "alert_url": alert_url(alert)},
            )
        return Asked(alert=alert, is_confirmed=False)


def confirm(alert: StockAlert) -> bool:
    """Let it count; False when it did already."""
    waiting = StockAlert.objects.filter(pk=alert.pk, confirmed_at=None)
    return bool(waiting.update(confirmed_at=Now()))


def end(alert: StockAlert) -> None:
    """Forget the alert, and let go of what is held for it; an order that was made of it stays."""
    with transaction.atomic():
        _let_go(_held().filter(stock_offer__alert=alert), reason="alert ended")
        alert.delete()


def offer_what_came_in(*, limit: int = BATCH) -> int:
    """Hold what can be had for those who wait; return how many offers were made."""
    waiting = Variant.objects.filter(Exists(_waiting().filter(variant=OuterRef("pk"))))
    waiting = waiting.filter(is_active=True, product__is_published=True)
    variants = {variant.sku: variant for variant in waiting}
    made = 0
    for sku, free in stock.available(skus=variants).items() if variants else ():
        for _ in range(min(free, limit - made)):
            if offer_next(variants[sku]) is None:
                break
            made += 1
    return made


def offer_next(variant: Variant) -> StockOffer | None:
    """Hold a unit for whoever is next; None when nobody is, there is no unit, or another run is at it."""
    with transaction.atomic():
        if not _take_turn(variant):
            return None
        arrival = _newest_arrival(variant)
        alert = _next(variant, arrival)
        if alert is None:
            return None
        # Its id follows from whom it is for and what came in: tried again, it holds the same unit.
        key = uuid5(alert.pk, str(arrival))
        outcome = reservations.reserve(
            key=key,
            wants=[Want(sku=variant.sku, quantity=1)],
            holder=f"alert:{alert.pk}",
            seconds=settings.STOCK_OFFER_SECONDS,
        )
        if not isinstance(outcome, Held):
            return None
        [reservation] = outcome.reservations
        offer = StockOffer.objects.create(
            id=key, alert=alert, arrival=arrival, reservation=reservation
        )
        _write_mail(offer, variant)
        return offer


def state_of(offer: StockOffer) -> State:
    if offer.order_id is not None:
        return State.ORDERED
    reservation = offer.reservation
    is_held = reservation.state == Reservation.State.HELD
    return State.HELD if is_held and reservation.expires_at > timezone.now() else State.OVER


def order_line(offer: StockOffer) -> OrderLine:
    """What the checkout needs of an offer: the variant at today's price, with its reservation."""
    variant = offer.alert.variant
    return OrderLine(
        variant=variant, quantity=1, unit_price=variant.price, reservation=offer.reservation
    )


def attach_order(offer: StockOffer, order: Order) -> None:
    """Remember the order, and that nothing is waited for any more, in the transaction that places it."""
    StockOffer.objects.filter(pk=offer.pk).update(order=order)
    StockAlert.objects.filter(pk=offer.alert_id).update(ordered_at=Now())


def decline(offer: StockOffer) -> bool:
    """Let the unit go to the next; False when it is ordered, or was over already."""
    if state_of(offer) is not State.HELD:
        return False
    held = Reservation.objects.filter(pk=offer.reservation_id)
    return bool(_let_go(held, reason="offer declined"))


def forget_unconfirmed() -> int:
    """Delete addresses that nobody confirmed; return how many."""
    old = StockAlert.objects.filter(
        confirmed_at=None, created_at__lt=Now() - timedelta(days=UNCONFIRMED_DAYS)
    )
    return old.delete()[0]


def alert_url(alert: StockAlert) -> str:
    """Where its address says yes, or that it has had enough."""
    return f"{settings.SITE_URL}{reverse('shop:stock-alert', args=[_signed('alert', alert.pk)])}"


def offer_url(offer: StockOffer) -> str:
    return f"{settings.SITE_URL}{reverse('shop:stock-offer', args=[_signed('offer', offer.pk)])}"


def find_alert(signed: str) -> StockAlert | None:
    alerts = StockAlert.objects.select_related("variant__product", "user")
    return alerts.filter(pk=_id_in("alert", signed)).first()


def find_offer(signed: str) -> StockOffer | None:
    offers = StockOffer.objects.select_related(
        "alert__variant__product", "alert__user", "reservation", "order"
    )
    return offers.filter(pk=_id_in("offer", signed)).first()


def _take_turn(variant: Variant) -> bool:
    row = Variant.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=variant.pk)
    return bool(row.values_list("pk", flat=True))


def _waiting() -> QuerySet[StockAlert]:
    """Alerts that count, without those that have an offer to answer."""
    answering = StockOffer.objects.filter(alert=OuterRef("pk"), reservation__in=_held())
    alerts = StockAlert.objects.filter(ordered_at=None, confirmed_at__isnull=False)
    return alerts.filter(Q(user=None) | Q(user__is_active=True)).exclude(Exists(answering))


def _next(variant: Variant, arrival: int) -> StockAlert | None:
    """Who has waited longest of those who were not asked about these units."""
    asked = StockOffer.objects.filter(alert=OuterRef("pk"), arrival=arrival)
    waiting = _waiting().filter(variant=variant).exclude(Exists(asked))
    return waiting.order_by("confirmed_at", "pk").first()


def _newest_arrival(variant: Variant) -> int:
    brought = StockMovement.objects.filter(
        stock__sku=variant.sku, stock__pool=Stock.MAIN, on_hand_change__gt=0
    )
    return brought.order_by("-pk").values_list("pk", flat=True).first() or 0


def _held() -> QuerySet[Reservation]:
    return Reservation.objects.filter(state=Reservation.State.HELD, expires_at__gt=Now())


def _let_go(held: QuerySet[Reservation], *, reason: str) -> int:
    """Release what no order has. An order that is being placed has locked its rows: look again behind it."""
    with transaction.atomic():
        locked = list(held.select_for_update(of=("self",)).order_by("pk"))
        pks = [reservation.pk for reservation in locked]
        ours = Reservation.objects.filter(pk__in=pks, line_item=None)
        return reservations.release(
            reservation_ids=list(ours.values_list("pk", flat=True)), reason=reason
        )


def _write_mail(offer: StockOffer, variant: Variant) -> None:
    offer.reservation.refresh_from_db()
    ends = timezone.localtime(offer.reservation.expires_at)
    language = offer.alert.language or settings.LANGUAGE_CODE
    with translation.override(language):
        until = date_format(ends, "DATETIME_FORMAT")
    mails.write(
        key=f"stock-offer:{offer.pk}",
        template="stock_offer",
        to=offer.alert.email,
        language=language,
        context={
            "item_name": variant.full_name,
            "until": until,
            "offer_url": offer_url(offer),
            "alert_url": alert_url(offer.alert),
        },
    )


def _signed(kind: str, pk: UUID) -> str:
    return signing.dumps(pk.hex, salt=f"{_SALT}.{kind}")


def _id_in(kind: str, signed: str) -> Any:
    """The id that we signed; None, which is nobody's, for what we did not."""
    try:
        return UUID(signing.loads(signed, salt=f"{_SALT}.{kind}"))
    except signing.BadSignature:
        return None
