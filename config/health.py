"""What machines ask: does this process live, can it serve, and how is the shop doing."""

from collections.abc import Iterator

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from flashsale import line_metrics, waits
from flashsale.models import Drift
from inventory.models import AuditRun, Reservation, Stock
from shop.models import Order, PaymentIntent

#: The Prometheus text format, https://prometheus.io/docs/instrumenting/exposition_formats/
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is looked at, or a slow database would restart every process."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The database answers. Redis is told of but decides nothing: the shop sells without it."""
    checks = {"database": _database_answers(), "cache": _cache_answers()}
    return JsonResponse(
        {"status": "ok" if checks["database"] else "unavailable", **checks},
        status=200 if checks["database"] else 503,
    )


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The shop in numbers, read when asked: every process would answer the same."""
    if request.META.get("REMOTE_ADDR") not in settings.METRICS_ADDRESSES or (
        "X-Forwarded-For" in request.headers
    ):
        raise Http404
    return HttpResponse("\n".join([*_metrics(), ""]), content_type=METRICS_TYPE)


def _metrics() -> Iterator[str]:
    yield from _gauge("holdfast_orders", "Orders by state.", _counts(Order))
    yield from _gauge(
        "holdfast_payment_intents", "Payment intents by state.", _counts(PaymentIntent)
    )
    yield from _gauge("holdfast_reservations", "Reservations by state.", _counts(Reservation))
    units = Stock.objects.aggregate(on_hand=Sum("on_hand"), allocated=Sum("allocated"))
    yield from _gauge(
        "holdfast_stock_units",
        "Units of all SKUs and pools.",
        {name: value or 0 for name, value in units.items()},
    )
    drifting = Drift.objects.filter(ended_at=None).count()
    yield from _number("holdfast_drifting_items", "Sale items whose gate drifts now.", drifting)
    yield from waits.metrics(now=timezone.now())
    run = AuditRun.objects.first()
    if run is not None:
        breaches = sum(len(rows) for rows in run.breaches.values())
        yield from _number(
            "holdfast_audit_breaches", "Breaches that the last audit found.", breaches
        )
        yield from _number(
            "holdfast_audit_timestamp_seconds",
            "When the last audit began, in seconds since the epoch.",
            int(run.started_at.timestamp()),
        )
    yield from line_metrics.exposition(now=timezone.now())


def _counts(model: type[Order | PaymentIntent | Reservation]) -> dict[str, int]:
    rows = model._default_manager.order_by("state").values_list("state").annotate(Count("pk"))
    return dict(rows)


def _gauge(name: str, text: str, values: dict[str, int]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    for state, value in values.items():
        yield f'{name}{{state="{state}"}} {value}'


def _number(name: str, text: str, value: int) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {value}"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _cache_answers() -> bool:
    """The cache's settings swallow its errors; what was written and cannot be read back tells."""
    cache.set("health", "ok", timeout=5)
    answer: str | None = cache.get("health")
    return answer == "ok"
