"""Template tags and filters of the front door."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from flashsale.models import Sale
from flashsale.sales import Phase, SaleInfo, phase_by_clock
from flashsale.showing import figure, rounded
from flashsale.standing import stand
from shop import pages

log = logging.getLogger(__name__)

register = template.Library()
register.filter("figure", figure)
register.filter("rounded", rounded)

#: Seconds for which all pages share what the banner says of a sale's units and existence.
BANNER_SECONDS = 5
CACHE_KEY = "sale-banner"
#: Sales that are looked at: more never run or wait at one time.
MOST_SALES = 20


@dataclass(frozen=True, slots=True)
class Banner:
    """The sale that the banner tells of; `info` is what its phase is worked out from."""

    info: SaleInfo
    tagline: str
    url: str
    line_url: str


@register.inclusion_tag("flashsale/partials/banner.html", takes_context=True)
def sale_banner(context: dict[str, Any]) -> dict[str, Any]:
    """The running sale that opened or opens closest to now, or else the next one; nothing if there is none."""
    now = timezone.now()
    banner: Banner | None = cache.get_or_set(
        CACHE_KEY, lambda: _look_for_banner(now), BANNER_SECONDS
    )
    by_clock = phase_by_clock(banner.info, now=now) if banner else None
    if banner is None or by_clock in (Phase.ENDED, Phase.CANCELLED):
        return {"sale": None}
    info = banner.info
    if request := context.get("request"):
        # A page with a countdown is old after a second, and one with a sale when the next look at it is due.
        is_counting = by_clock is Phase.LOBBY
        pages.keep_no_longer(request, seconds=1 if is_counting else BANNER_SECONDS)
    return {
        "sale": {
            "name": info.name,
            "slug": info.slug,
            "tagline": banner.tagline,
            "phase": by_clock,
            "opens_at": info.opens_at,
            "closes_at": info.closes_at,
            "queue_mode": info.queue_mode,
            "url": banner.url,
            "line_url": banner.line_url,
        },
        "server_now": now,
        "request": context.get("request"),
    }


def _look_for_banner(now: datetime) -> Banner | None:
    """Without PostgreSQL there is none: a kept page is shown all the same."""
    try:
        return find_banner(now=now)
    except (OperationalError, InterfaceError):
        log.exception("PostgreSQL is away: pages have no banner")
        return None


def find_banner(*, now: datetime) -> Banner | None:
    shown = Sale.objects.filter(
        status__in=[Sale.Status.SCHEDULED, Sale.Status.PAUSED],
        is_rehearsal=False,
        closes_at__gt=now,
    )
    sales = list(shown.order_by("opens_at")[:MOST_SALES])
    left = [
        (standing.info, sale)
        for standing, sale in zip(stand(sales), sales, strict=True)
        if standing.phase(now=now) is not Phase.SOLD_OUT
    ]
    if not left:
        return None
    info, sale = min(
        left,
        key=lambda pair: (
            phase_by_clock(pair[0], now=now) is Phase.SCHEDULED,
            abs(pair[0].opens_at - now),
        ),
    )
    url = sale.get_absolute_url()
    return Banner(info=info, tagline=sale.tagline, url=url, line_url=f"{url}line/")
