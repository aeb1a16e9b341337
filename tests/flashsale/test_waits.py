from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flashsale import admissions, figures, line, store, tickets, waits
from flashsale.admissions import Admitted
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from flashsale.waits import Quantiles
from tests.away import redis_away
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


def opened(seconds_ago: int, *, units: int = 9) -> tuple[SaleInfo, datetime]:
    """A first-come sale that has been open for some time and serves the first in line."""
    now = timezone.now().replace(microsecond=0)
    opens_at = now - timedelta(seconds=seconds_ago)
    sale = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, units=units, opens_at=opens_at)
    line.join(sale, shopper=uuid4(), now=now)
    for moment in (now - timedelta(seconds=1), now):
        line.renew(sale, now=moment)
    return sale, now


def let_in(sale: SaleInfo, now: datetime, *, joined: datetime) -> None:
    ticket = Ticket(1, int(joined.timestamp()))
    result = admissions.enter(sale, shopper=uuid4(), ticket=ticket, now=now)
    assert isinstance(result, Admitted)


def counted(sale: SaleInfo) -> dict[str, str]:
    return dict(store.client().hgetall(key(sale.id, "waits")))


def test_a_wait_counts_from_joining() -> None:
    sale, now = opened(600)
    let_in(sale, now, joined=now - timedelta(seconds=5))
    assert counted(sale) == {"6.0": "1", "sum": "5000"}


def test_a_wait_of_the_lobby_counts_from_the_opening() -> None:
    sale, now = opened(50)
    let_in(sale, now, joined=now - timedelta(hours=1))
    assert counted(sale) == {"64.0": "1", "sum": "50000"}


def test_asking_again_counts_no_second_wait() -> None:
    sale, now = opened(600)
    shopper, ticket = uuid4(), Ticket(1, int(now.timestamp()))
    for later in (0, 3):
        moment = now + timedelta(seconds=later)
        admissions.enter(sale, shopper=shopper, ticket=ticket, now=moment)
    assert counted(sale) == {"1.0": "1", "sum": "0"}


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(0, "1.0"), (1.0, "1.0"), (1.1, "1.5"), (24_576, "24576.0"), (24_577, "inf")],
)
def test_a_bound_belongs_to_its_bucket(seconds: float, name: str) -> None:
    assert waits.bucket_of(seconds) == name


def test_quantiles_are_interpolated_within_their_bucket() -> None:
    sale, _ = opened(60)
    assert waits.quantiles(sale) is None
    store.client().hset(key(sale.id, "waits"), mapping={"8.0": 60, "64.0": 40, "sum": 2_000_000})
    assert waits.quantiles(sale) == Quantiles(
        median=6 + 2 * 50 / 60, ninety=48 + 16 * 30 / 40, ninety_nine=48 + 16 * 39 / 40
    )


def test_a_wait_past_the_last_bound_is_told_as_the_last_bound() -> None:
    sale, _ = opened(60)
    store.client().hset(key(sale.id, "waits"), "inf", 1)
    assert waits.quantiles(sale) == Quantiles(24_576, 24_576, 24_576)


def test_with_redis_away_nobody_can_say() -> None:
    sale, now = opened(60)
    let_in(sale, now, joined=now - timedelta(seconds=5))
    with redis_away():
        assert waits.quantiles(sale) is None
        assert figures.read(Sale.objects.get(), now=now).waits is None
        assert list(waits.metrics(now=now)) == []


def test_a_ticket_says_when_it_was_first_signed_however_often_it_is_proven() -> None:
    sale, now = opened(60)
    shopper = uuid4()
    first = line.join(sale, shopper=shopper, now=now).ticket
    value = tickets.sign_ticket(first, sale_id=sale.id, shopper=shopper)
    proven = tickets.read_ticket(value, sale_id=sale.id, shopper=shopper)
    later = now + timedelta(minutes=5)
    again = line.join(sale, shopper=shopper, now=later, proven=proven).ticket
    assert [ticket.joined_at for ticket in (first, proven, again)] == [int(now.timestamp())] * 3


def test_metrics_tell_the_waits_of_the_sales_that_run(client: Client) -> None:
    sale, now = opened(600)
    make_sale()  # without a line
    let_in(sale, now, joined=now - timedelta(seconds=5))
    let_in(sale, now, joined=now - timedelta(seconds=1))
    body = client.get("/metrics").content.decode()
    told = [text for text in body.splitlines() if text.startswith("holdfast_line_wait_seconds")]
    assert len(told) == len(waits.BOUNDS) + 3
    for expected in (
        f'bucket{{sale="{sale.slug}",le="1.0"}} 1',
        f'bucket{{sale="{sale.slug}",le="4.0"}} 1',
        f'bucket{{sale="{sale.slug}",le="6.0"}} 2',
        f'bucket{{sale="{sale.slug}",le="+Inf"}} 2',
        f'sum{{sale="{sale.slug}"}} 6',
        f'count{{sale="{sale.slug}"}} 2',
    ):
        assert f"holdfast_line_wait_seconds_{expected}" in told


def test_the_merchant_sees_how_long_people_waited(client: Client, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    sale, now = opened(600)
    page = f"/admin/flashsale/sale/{sale.id}/change/"
    client.force_login(make_user(is_staff=True, is_superuser=True))
    assert "waited at most" not in client.get(page).content.decode()
    let_in(sale, now, joined=now - timedelta(seconds=400))
    body = client.get(page).content.decode()
    assert "Half of those let in waited at most</th><td>0:07:28</td>" in body
