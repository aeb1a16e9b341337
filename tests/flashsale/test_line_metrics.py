import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from flashsale import admissions, figures, line, line_metrics, store
from flashsale.controller import RESPONSE_SECONDS, Reason
from flashsale.figures import LineFigures
from flashsale.models import Sale
from flashsale.sales import SaleInfo, describe
from flashsale.tickets import Ticket
from tests.away import redis_away
from tests.factories import make_sale

pytestmark = pytest.mark.django_db


def half_came() -> tuple[SaleInfo, datetime]:
    """A sale with ten in line of whom four were called and two came in, and its last run."""
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, units=100, admission_cap=4)
    now = timezone.now()
    shoppers = [uuid4() for _ in range(10)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=now)
    line.renew(sale, now=now)
    now += timedelta(seconds=1)
    line.renew(sale, now=now)
    for number in (1, 2):
        admissions.enter(sale, shopper=shoppers[number - 1], ticket=Ticket(number), now=now)
    now += timedelta(seconds=RESPONSE_SECONDS)
    line.renew(sale, now=now)
    return sale, now


def test_the_figures_of_a_line_say_who_came_and_what_holds_it_up() -> None:
    sale, now = half_came()
    known = figures.read_line(sale, now=now)
    assert known is not None
    assert (known.joined, known.waiting, known.served) == (10, 6, 4)
    assert (known.entered, known.no_shows, known.reason) == (2, 2, Reason.CAP)
    assert known.show_up == pytest.approx(12 / 14, rel=0.02)
    # Two in six seconds; what was seen first has faded a little.
    assert known.entries_per_minute == pytest.approx(20, rel=0.1)
    assert known.places_per_minute is not None


def test_metrics_have_a_gauge_for_each_figure_by_the_slug_of_the_sale(client: Client) -> None:
    sale, _ = half_came()
    body = client.get("/metrics").content.decode()
    for name, value in {
        "joined": 10,
        "waiting": 6,
        "served": 4,
        "entered": 2,
        "no_shows": 2,
    }.items():
        assert f'\nholdfast_line_{name}{{sale="{sale.slug}"}} {value}\n' in body
    said = [row for row in body.splitlines() if "held_up_by{" in row and row.endswith(" 1")]
    assert said == [f'holdfast_line_held_up_by{{sale="{sale.slug}",reason="cap"}} 1']
    gauges = re.findall(r"^# TYPE holdfast_line_\w+ gauge$", body, re.MULTILINE)
    assert len(gauges) == len(line_metrics.GAUGES) + 1
    assert set(line_metrics.GAUGES) < set(LineFigures.__dataclass_fields__)


def test_what_nobody_can_say_is_left_out_of_the_metrics(client: Client) -> None:
    sale, now = half_came()
    assert "holdfast_line_places_per_minute{" in client.get("/metrics").content.decode()
    Sale.objects.update(status=Sale.Status.PAUSED)
    paused = describe(Sale.objects.get())
    line.renew(paused, now=now + timedelta(seconds=1))
    body = client.get("/metrics").content.decode()
    assert "holdfast_line_places_per_minute{" not in body
    # Of the six, two were called before the pause.
    assert f'holdfast_line_waiting{{sale="{sale.slug}"}} 4\n' in body


def test_the_loss_of_redis_makes_no_no_shows_of_those_who_came() -> None:
    sale, now = half_came()
    store.client().flushdb()
    line.renew(sale, now=now + timedelta(seconds=1))
    line.renew(sale, now=now + timedelta(seconds=2))
    known = figures.read_line(sale, now=now)
    assert known is not None
    assert (known.entered, known.no_shows) == (0, 0)


def test_a_sale_without_a_line_has_no_figures_of_one(client: Client) -> None:
    sale = make_sale()
    line.renew(sale, now=timezone.now())
    assert figures.read_line(sale, now=timezone.now()) is None
    assert "holdfast_line" not in client.get("/metrics").content.decode()


def test_with_redis_away_nothing_is_said_of_the_lines_and_the_rest_is() -> None:
    sale, now = half_came()
    with redis_away():
        assert figures.read_line(sale, now=now) is None
        assert list(line_metrics.exposition(now=now)) == []
