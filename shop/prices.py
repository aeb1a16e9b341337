"""Price history: the lowest price before a reduction, which is told wherever a reduced price is shown.

Directive 98/6/EC, article 6a: whoever announces a lower price says the lowest one of the thirty days before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from shop.models import PriceRecord, Variant

PERIOD = timedelta(days=30)


def tell_lowest(variants: Iterable[Variant]) -> None:
    """Set `lowest_price` on reduced variants, with one query; none when nothing is reduced."""
    reduced = [variant for variant in variants if variant.compare_at_price is not None]
    history = _history([variant.pk for variant in reduced])
    for variant in reduced:
        records = history[variant.pk]
        variant.lowest_price = _lowest(records, before=records[-1].valid_from) if records else None


def lowest_before(moments: Mapping[int, datetime]) -> dict[int, Decimal | None]:
    """The lowest price of each variant in the thirty days before its moment; None where there was none."""
    history = _history(list(moments))
    return {pk: _lowest(history[pk], before=moment) for pk, moment in moments.items()}


def _history(variant_ids: Sequence[int]) -> dict[int, list[PriceRecord]]:
    """What each variant has cost, the oldest price first."""
    history: dict[int, list[PriceRecord]] = defaultdict(list)
    if variant_ids:
        records = PriceRecord.objects.filter(variant__in=variant_ids)
        for record in records.order_by("valid_from", "id"):
            history[record.variant_id].append(record)
    return history


def _lowest(records: Sequence[PriceRecord], *, before: datetime) -> Decimal | None:
    ends = [record.valid_from for record in records[1:]] + [before]
    return min(
        (
            record.price
            for record, end in zip(records, ends, strict=True)
            if record.valid_from < min(end, before) and end > before - PERIOD
        ),
        default=None,
    )
