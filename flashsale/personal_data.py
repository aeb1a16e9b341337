"""The front door's tables about a person, for `shop.privacy`."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext as _

from flashsale.models import LineAlert, Purchase
from inventory.models import Reservation
from shop.models import User
from shop.privacy import Part

PARTS = [
    Part(LineAlert, lambda user: Q(shopper=user)),
    # They name the shopper by the id under which a sale's limit counts; it leads to nobody afterwards.
    Part(Purchase, lambda user: Q(shopper=user), keep={}),
]


def reasons_against(user: User) -> Iterator[str]:
    held = Q(reservation__state=Reservation.State.HELD, order=None)
    if Purchase.objects.filter(held, shopper=user).exists():
        yield _("Something from a sale is held for you. Order it or let it go first.")


def forget(user: User) -> None:
    """Nothing else says who it was."""
