"""What is to be ordered, before it is."""

from dataclasses import dataclass
from decimal import Decimal

from inventory.models import Reservation
from shop.models import ProductImage, Variant


@dataclass(frozen=True, slots=True)
class OrderLine:
    """What is to be ordered, at the price that the server vouches for.

    `reservation`, when there is one, holds exactly these units and gives the order its time limit.
    """

    variant: Variant
    quantity: int
    unit_price: Decimal
    reservation: Reservation | None = None
    #: Whether its price is not the catalogue's, such as a sale's; it may be the same amount.
    has_own_price: bool = False

    @property
    def name(self) -> str:
        return self.variant.full_name

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity

    @property
    def weight_grams(self) -> int:
        return self.variant.weight_grams * self.quantity

    @property
    def is_reduced(self) -> bool:
        """Whether it costs less than it did, or comes at a price of its own, such as a sale's."""
        return (
            self.has_own_price
            or self.variant.compare_at_price is not None
            or self.unit_price < self.variant.price
        )

    @property
    def image(self) -> ProductImage | None:
        return self.variant.image
