"""How sales stand at one moment, many at once: what lists, the banner and the API show of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flashsale.models import Sale
from flashsale.sales import Phase, SaleInfo, Units, count_units_of, describe_all, phase


@dataclass(frozen=True, slots=True)
class Standing:
    """A sale, and where its units are."""

    info: SaleInfo
    units: Units

    def phase(self, *, now: datetime) -> Phase:
        return phase(self.info, now=now, units_left=self.units.left, units_held=self.units.held)


def stand(sales: Sequence[Sale]) -> list[Standing]:
    """How sales stand, in their order; two queries, however many there are."""
    infos = describe_all(sales)
    units = count_units_of(infos)
    return [Standing(info, units[info.id]) for info in infos]
