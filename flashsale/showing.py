"""What templates show of sales and purchases: frozen values, ready to print."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from babel.numbers import format_decimal
from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language, ngettext, pgettext_lazy, to_locale
from django.utils.translation import gettext as _

from flashsale import price_history
from flashsale.models import Purchase, Sale
from flashsale.purchases import (
    State,
    can_extend,
    sale_id_of,
    sale_of_queued,
    state_of,
    was_set_aside,
)
from flashsale.sales import Phase, SaleInfo, count_units, describe, phase
from flashsale.standing import stand
from shop.models import Product, ProductImage, Variant

#: Up to here a place is told exactly. Browsers tell the same figures: static/js/figures.js.
EXACT_TO = 100
#: A wait is told as a range: nobody can know it to the second.
WAIT_RANGE = (0.8, 1.5)
#: The way from the line to a paid order, as it is told.
STEPS = {
    "Line": pgettext_lazy("step", "Line"),
    "Choose": pgettext_lazy("step", "Choose"),
    "Hold": pgettext_lazy("step", "Hold"),
    "Pay": pgettext_lazy("step", "Pay"),
    "Done": pgettext_lazy("step", "Done"),
}


@dataclass(frozen=True, slots=True)
class ItemView:
    id: int
    sku: str
    name: str
    price: Decimal
    compare_at_price: Decimal | None
    lowest_price: Decimal | None
    currency: str
    units_left: int
    units_total: int
    limit: int
    image: ProductImage | None
    product: Product


@dataclass(frozen=True, slots=True)
class SaleView:
    info: SaleInfo
    name: str
    slug: str
    tagline: str
    description: str
    phase: Phase
    opens_at: datetime
    closes_at: datetime
    lobby_opens_at: datetime
    queue_mode: str
    limit: int
    hold_seconds: int
    url: str
    line_url: str
    seed_commitment: str
    seed: str | None
    units_left: int
    units_held: int
    items: Sequence[ItemView]
    image: ProductImage | None


@dataclass(frozen=True, slots=True)
class PurchaseView:
    id: UUID
    state: State
    reason: str
    item_name: str
    quantity: int
    unit_price: Decimal | None
    hold_expires_at: datetime | None
    checkout_url: str | None
    order: str | None
    url: str
    can_extend: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    state: str


@dataclass(frozen=True, slots=True)
class SaleCard:
    """A sale as a list shows it."""

    name: str
    tagline: str
    url: str
    phase: Phase
    opens_at: datetime
    has_line: bool
    units_left: int
    image: ProductImage | None


def show_cards(sales: Sequence[Sale], *, now: datetime) -> list[SaleCard]:
    """Sales for a list, in four queries however many there are; each with its first item's picture."""
    standings = stand(sales)
    first = [standing.info.items[0].sku for standing in standings if standing.info.items]
    variants = Variant.objects.filter(sku__in=first).select_related("product")
    images = {
        variant.sku: variant.image for variant in variants.prefetch_related("product__images")
    }
    return [
        SaleCard(
            name=sale.name,
            tagline=sale.tagline,
            url=sale.get_absolute_url(),
            phase=standing.phase(now=now),
            opens_at=sale.opens_at,
            has_line=standing.info.has_line,
            units_left=standing.units.left,
            image=images[standing.info.items[0].sku] if standing.info.items else None,
        )
        for sale, standing in zip(sales, standings, strict=True)
    ]


def show_sale(sale: Sale, *, now: datetime) -> SaleView:
    """A sale with its items, units and pictures, in eight queries whatever the number of items."""
    info = describe(sale)
    units = count_units(info)
    variants = {
        variant.pk: variant
        for variant in Variant.objects.filter(
            pk__in=sale.items.values_list("variant_id", flat=True)
        )
        .select_related("product")
        .prefetch_related("product__images")
    }
    lowest = price_history.lowest_before(sale)
    variant_of = dict(sale.items.values_list("pk", "variant_id"))
    items = []
    for item in info.items:
        variant = variants[variant_of[item.id]]
        pictures = list(variant.product.images.all())
        own = [picture for picture in pictures if picture.variant_id == variant.pk]
        items.append(
            ItemView(
                id=item.id,
                sku=item.sku,
                name=item.name,
                price=item.price,
                compare_at_price=item.compare_at_price,
                lowest_price=lowest[variant.pk],
                currency=settings.CURRENCY,
                units_left=units.left_by_item[item.id],
                units_total=item.units,
                limit=info.limit,
                image=next(iter(own or pictures), None),
                product=variant.product,
            )
        )
    return SaleView(
        info=info,
        name=sale.name,
        slug=sale.slug,
        tagline=sale.tagline,
        description=sale.description,
        phase=phase(info, now=now, units_left=units.left, units_held=units.held),
        opens_at=info.opens_at,
        closes_at=info.closes_at,
        lobby_opens_at=info.lobby_opens_at,
        queue_mode=info.queue_mode,
        limit=info.limit,
        hold_seconds=info.hold_seconds,
        url=reverse("flashsale:sale", args=[info.slug]),
        line_url=reverse("flashsale:line", args=[info.slug]),
        seed_commitment=info.seed_commitment,
        seed=info.seed if now >= info.opens_at else None,
        units_left=units.left,
        units_held=units.held,
        items=items,
        image=next((item.image for item in items if item.image), None),
    )


def show_purchase(purchase: Purchase) -> PurchaseView:
    state = state_of(purchase)
    payable = state in (State.HELD, State.ORDERED)
    return PurchaseView(
        id=purchase.pk,
        state=state,
        reason=purchase.refusal,
        item_name=purchase.item.variant.full_name,
        quantity=purchase.quantity,
        unit_price=purchase.unit_price,
        hold_expires_at=purchase.reservation.expires_at
        if payable and purchase.reservation
        else None,
        checkout_url=reverse("flashsale:purchase-checkout", args=[purchase.pk])
        if state is State.HELD
        else None,
        order=purchase.order.reference if purchase.order else None,
        url=purchase.get_absolute_url(),
        can_extend=can_extend(purchase),
    )


def units_of(purchases: Sequence[PurchaseView]) -> int:
    """Units that count against the limit: held, ordered or paid."""
    counting = (State.HELD, State.ORDERED, State.PAID)
    return sum(purchase.quantity for purchase in purchases if purchase.state in counting)


def show_unsettled(purchase_id: UUID, *, shopper: UUID) -> tuple[PurchaseView, Sale] | None:
    """A shopper's purchase that has no row: it waits in the queue, or could not be decided. None: not theirs."""
    if was_set_aside(purchase_id, shopper=shopper):
        sale = Sale.objects.filter(pk=sale_id_of(purchase_id)).first()
        state, reason = State.REFUSED, "set_aside"
    else:
        sale = sale_of_queued(purchase_id, shopper=shopper)
        state, reason = State.QUEUED, ""
    if sale is None:
        return None
    view = PurchaseView(
        id=purchase_id,
        state=state,
        reason=reason,
        item_name="",
        quantity=0,
        unit_price=None,
        hold_expires_at=None,
        checkout_url=None,
        order=None,
        url=reverse("flashsale:purchase", args=[purchase_id]),
    )
    return view, sale


def rounded(number: int) -> int:
    """A place or a crowd as it is told: exact up to 100; above, to the nearest ten, and to three figures where
    that is coarser (12,340 is 12,300). Nobody far from the front is helped by a figure that jumps with each look.
    """
    if number <= EXACT_TO:
        return number
    unit = max(10, int(10 ** (len(str(number)) - 3)))
    return (number + unit // 2) // unit * unit


def figure(number: int) -> str:
    """The number in words that own up to the rounding, such as "87" and "about 12,300"."""
    if number <= EXACT_TO:
        return f"{number}"
    locale = to_locale(get_language() or settings.LANGUAGE_CODE)
    return _("about %(number)s") % {"number": format_decimal(rounded(number), locale=locale)}


def time_in_words(seconds: int) -> str:
    """A time that is given to somebody, such as "3 minutes": never more than they have."""
    if seconds < 120:
        return ngettext("%(seconds)s second", "%(seconds)s seconds", seconds) % {"seconds": seconds}
    minutes = seconds // 60
    return ngettext("%(minutes)s minute", "%(minutes)s minutes", minutes) % {"minutes": minutes}


def wait_in_words(seconds: float | None) -> str | None:
    """An honest range, such as "2 to 4 minutes"; None when nobody can say."""
    if seconds is None:
        return None
    if seconds < 45:
        return _("less than a minute")
    low, high = (max(1, int(seconds * factor / 60 + 0.5)) for factor in WAIT_RANGE)
    if high >= 120:
        return _("%(low)s to %(high)s hours") % {"low": max(1, low // 60), "high": -(-high // 60)}
    if low == high:
        return ngettext("about %(low)s minute", "about %(low)s minutes", low) % {"low": low}
    return _("%(low)s to %(high)s minutes") % {"low": low, "high": high}


def steps(current: str, *, has_line: bool) -> list[Step]:
    """Where the shopper is on the way from the line to a paid order."""
    names = [*(["Line"] if has_line else []), "Choose", "Hold", "Pay", "Done"]
    at = names.index(current)
    return [
        Step(str(STEPS[name]), "done" if index < at else "current" if index == at else "todo")
        for index, name in enumerate(names)
    ]
