"""The lines of the current sales in numbers, for `/metrics`: one gauge a figure, labelled by the sale's slug.

When Redis is away: nothing is said of the lines.
"""

from collections.abc import Iterator
from datetime import datetime

from flashsale import figures
from flashsale.controller import Reason
from flashsale.figures import LineFigures
from flashsale.models import Sale
from flashsale.sales import describe

#: What each gauge says.
GAUGES = {
    "joined": "Shoppers who ever joined the line.",
    "waiting": "Shoppers in line whose turn has not come.",
    "served": "Shoppers who were called.",
    "entered": "Shoppers who came in.",
    "no_shows": "Shoppers who were called and did not come.",
    "show_up": "Share of called shoppers who come.",
    "entries_per_minute": "Shoppers who come in, over the last minute or so.",
    "places_per_minute": "Places that the line moves on by in the longer run.",
}


def exposition(*, now: datetime) -> Iterator[str]:
    """The lines of text, in the format of Prometheus. A figure that nobody can say is left out."""
    known = {sale.slug: line for sale, line in _lines(now=now)}
    if not known:
        return
    for name, text in GAUGES.items():
        yield from _head(name, text)
        for slug, line in known.items():
            value = getattr(line, name)
            if value is not None:
                yield f'holdfast_line_{name}{{sale="{slug}"}} {value:.10g}'
    yield from _head("held_up_by", "What keeps the controller from calling more: 1 for the reason.")
    for slug, line in known.items():
        for reason in Reason:
            is_it = int(line.reason is reason)
            yield f'holdfast_line_held_up_by{{sale="{slug}",reason="{reason}"}} {is_it}'


def _lines(*, now: datetime) -> Iterator[tuple[Sale, LineFigures]]:
    current = Sale.objects.filter(
        status__in=[Sale.Status.SCHEDULED, Sale.Status.PAUSED], closes_at__gt=now
    )
    for sale in current:
        line = figures.read_line(describe(sale), now=now)
        if line is not None:
            yield sale, line


def _head(name: str, text: str) -> Iterator[str]:
    yield f"# HELP holdfast_line_{name} {text}"
    yield f"# TYPE holdfast_line_{name} gauge"
