"""A sale's figures for those who run it: where its units are, how long the line is, and whether Redis agrees."""

from dataclasses import dataclass
from datetime import datetime

import redis

from flashsale import drift, line, line_document, waits
from flashsale.controller import Reason
from flashsale.models import Sale
from flashsale.sales import Phase, SaleInfo, Units, count_units, describe, phase


@dataclass(frozen=True, slots=True)
class LineFigures:
    """The line of one moment, as the controller knew it at its last run.

    Attributes:
        joined, waiting: shoppers who ever joined, and those among them whose turn has not come.
        served, entered: shoppers who were called, and who came in.
        no_shows: shoppers who were called and are not expected any more.
        show_up: the share of called shoppers who come.
        entries_per_minute: shoppers who come in, over the last minute or so.
        places_per_minute: places that the line moves on by in the longer run; None when nobody can say.
        reason: why the controller called no more.
    """

    joined: int
    waiting: int
    served: int
    entered: int
    no_shows: int
    show_up: float
    entries_per_minute: float
    places_per_minute: float | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one moment.

    Attributes:
        waiting: shoppers in line; None when the sale has no line.
        line: more of the line; None when it has none, before the first run, and while Redis is away.
        queued: units that wait to be settled; None while Redis is away.
        gate: units that may be claimed, by Redis; None while it is away or has no gate yet.
        drift: units by which the gate is too high, of the item that is worst off; None when it is not known.
        waits: how long those waited who were let in; None when nobody was yet, or while Redis is away.
    """

    phase: Phase
    units: Units
    waiting: int | None
    line: LineFigures | None
    queued: int | None
    gate: int | None
    drift: int | None
    waits: waits.Quantiles | None


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
        line=read_line(info, now=now),
        queued=sum(item.queued for item in items) if reading else None,
        gate=sum(gates) if gates else None,
        drift=max(drifts, key=abs) if drifts else None,
        waits=waits.quantiles(info),
    )


def read_line(sale: SaleInfo, *, now: datetime) -> LineFigures | None:
    """Read the line's figures; None when there is no line, before its first run, and while Redis is away."""
    if not sale.has_line:
        return None
    try:
        memory = line.remembered(sale)
    except redis.RedisError:
        return None
    if memory is None:
        return None
    waiting = int(line_document.read(sale, now=now)["waiting"])
    served, pace = int(memory.serving.base), memory.serving.pace
    return LineFigures(
        joined=waiting + served,
        waiting=waiting,
        served=served,
        entered=memory.entered,
        no_shows=memory.no_shows,
        show_up=memory.show_up,
        entries_per_minute=60 * memory.entry_rate,
        places_per_minute=None if pace is None else 60 * pace,
        reason=memory.reason,
    )
