"""More units for a sale, or fewer, while it runs: they move between the main pool and the sale's own.

Invariant kept here: `SaleItem.units` is what is ring-fenced for the item, in the same transaction as the move. Nothing
is decided on what was read before: the item's row and both stock rows change by UPDATEs that carry their conditions.
"""

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from flashsale.models import Sale, SaleItem
from flashsale.sales import NotPossible, Phase, forget_copies, phase_by_clock, pool_name
from inventory import stock
from inventory.models import Stock

CURRENT = (Sale.Status.SCHEDULED, Sale.Status.PAUSED)


class UnitsPromised(Exception):
    """The sale would have fewer units than it has promised; the message says how many those are."""

    def __init__(self, *, sku: str, promised: int, free: int, wanted: int) -> None:
        self.sku, self.promised, self.free, self.wanted = sku, promised, free, wanted
        why = f"{promised} unit{' is' if promised == 1 else 's are'} promised to shoppers, so at"
        super().__init__(
            f"{why if promised else 'At'} most {free} of {sku} can be taken away, not {wanted}."
        )


class UnitsChanged(Exception):
    """Somebody changed the item's units meanwhile; the message says how many it has now."""


def change_units(*, item: SaleItem, change: int, actor: str, seen: int | None = None) -> SaleItem:
    """Give a current sale `change` units more from the main pool, or with a minus some back to it.

    Args:
        actor: who does it; the movements keep it.
        seen: the units that the item had when that was decided; a form that is sent twice changes once.

    Raises:
        sales.NotPossible: the sale is not current, or is a rehearsal.
        UnitsChanged: the item has other than `seen` units.
        UnitsPromised: fewer than `-change` of the sale's units are free.
        inventory.stock.NotEnoughStock: fewer than `change` units of the main pool are free.
    """
    own, sku = pool_name(item.sale_id), item.variant.sku
    with transaction.atomic():
        if not _count(item, change, seen=seen):
            raise _refusal(item, change)
        try:
            stock.transfer(
                sku=sku,
                quantity=abs(change),
                source=Stock.MAIN if change > 0 else own,
                target=own if change > 0 else Stock.MAIN,
                reason=f"{'more' if change > 0 else 'fewer'} units for {item.sale.slug}",
                actor=actor,
            )
        except stock.NotEnoughStock as error:
            if error.pool == Stock.MAIN:
                raise
            raise UnitsPromised(
                sku=sku, promised=error.promised, free=error.available, wanted=-change
            ) from error
    forget_copies()
    item.refresh_from_db()
    return item


def _count(item: SaleItem, change: int, *, seen: int | None) -> bool:
    # A subquery about the sale, and no join: what is asked of the item has to be asked of its row as it is when this
    # UPDATE holds it, and a join would ask the row as it was when the statement began.
    current = Sale.objects.filter(
        pk=OuterRef("sale_id"), status__in=CURRENT, closes_at__gt=Now(), is_rehearsal=False
    )
    row = SaleItem.objects.filter(Exists(current), pk=item.pk, units__gte=-change)
    if seen is not None:
        row = row.filter(units=seen)
    return bool(row.update(units=F("units") + change))


def _refusal(item: SaleItem, change: int) -> Exception:
    """Why nothing was counted, as far as it can be seen now."""
    item.refresh_from_db()
    sale = Sale.objects.get(pk=item.sale_id)
    phase = phase_by_clock(sale, now=timezone.now())
    if sale.is_rehearsal or phase in (Phase.DRAFT, Phase.ENDED, Phase.CANCELLED):
        kind = "a rehearsal" if sale.is_rehearsal else phase
        return NotPossible(f"{sale.name} is {kind}, so its units cannot be changed.")
    if item.units < -change and item.stock is not None:
        row = item.stock
        return UnitsPromised(
            sku=row.sku, promised=row.allocated, free=row.available, wanted=-change
        )
    return UnitsChanged(
        f"The units of {item.variant.sku} were changed meanwhile: the sale has {item.units} now. "
        "Look again before you change them."
    )
