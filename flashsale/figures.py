"""A sale's figures for those who run it: where its units are, how long the line is, and whether Redis agrees."""

from dataclasses import dataclass
from datetime import datetime

import redis

from flashsale import line, store
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import Phase, Units, count_units, describe, phase


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one moment.

    Attributes:
        waiting: shoppers in line; None when the sale has no line.
        queued: claims that wait to be settled; None while Redis is away.
        gate: units that may be claimed, by Redis; None while it is away or has no gate yet.
    """

    phase: Phase
    units: Units
    waiting: int | None
    queued: int | None
    gate: int | None

    @property
    def drift(self) -> int | None:
        """Units by which the gate differs from what PostgreSQL has free minus what is queued."""
        if self.gate is None or self.queued is None:
            return None
        return self.gate - max(0, self.units.left - self.queued)


def read(sale: Sale, *, now: datetime) -> Figures:
    """Read a sale's figures; with Redis away some of them are None."""
    info = describe(sale)
    units = count_units(info)
    queued: int | None = None
    gate: int | None = None
    try:
        fields = store.client().hgetall(key(sale.pk, "gate"))
        queued = sum(
            int(claim["quantity"]) for _, claim in store.client().xrange(key(sale.pk, "claims"))
        )
    except redis.RedisError:
        fields = {}
    free = [int(value) for name, value in fields.items() if str(name).startswith("free:")]
    if free:
        gate = sum(free)
    waiting = int(line.document(info, now=now)["waiting"]) if info.has_line else None
    return Figures(
        phase=phase(info, now=now, units_left=units.left, units_held=units.held),
        units=units,
        waiting=waiting,
        queued=queued,
        gate=gate,
    )
