"""A sale's figures for those who run it: where its units are, how long the line is, and whether Redis agrees."""

from dataclasses import dataclass
from datetime import datetime

import redis

from flashsale import drift, line_document
from flashsale.models import Sale
from flashsale.sales import Phase, Units, count_units, describe, phase


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one moment.

    Attributes:
        waiting: shoppers in line; None when the sale has no line.
        queued: units that wait to be settled; None while Redis is away.
        gate: units that may be claimed, by Redis; None while it is away or has no gate yet.
        drift: units by which the gate is too high, of the item that is worst off; None when it is not known.
    """

    phase: Phase
    units: Units
    waiting: int | None
    queued: int | None
    gate: int | None
    drift: int | None


def read(sale: Sale, *, now: datetime) -> Figures:
    """Read a sale's figures; with Redis away some of them are None."""
    info = describe(sale)
    units = count_units(info)
    try:
        reading = drift.read(info, now=now)
    except redis.RedisError:
        reading = None
    items = reading.items if reading else ()
    gates = [item.gate for item in items if item.gate is not None]
    drifts = [item.drift for item in items if item.drift is not None]
    return Figures(
        phase=phase(info, now=now, units_left=units.left, units_held=units.held),
        units=units,
        waiting=int(line_document.read(info, now=now)["waiting"]) if info.has_line else None,
        queued=sum(item.queued for item in items) if reading else None,
        gate=sum(gates) if gates else None,
        drift=max(drifts, key=abs) if drifts else None,
    )
