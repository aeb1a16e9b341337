from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from flashsale import demo_sales, sales
from flashsale.models import Sale, SaleItem
from flashsale.sales import Phase, count_units, describe, phase_by_clock
from inventory import stock
from inventory.models import Stock
from shop.models import Variant
from tests.factories import make_variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue() -> list[Variant]:
    """The variants that the demo sales sell, without stock."""
    return [make_variant(sku=offer.sku) for offer in demo_sales.OFFERS]


def seed(*, fresh: bool = False) -> list[Sale]:
    return demo_sales.seed(fresh=fresh, now=timezone.now())


@pytest.mark.usefixtures("catalogue")
def test_the_lamp_drop_is_in_its_lobby_and_opens_in_a_minute() -> None:
    before = timezone.now()
    seed()
    drop = Sale.objects.get(slug="first-light")
    assert timedelta(seconds=60) <= drop.opens_at - before < timedelta(seconds=65)
    assert drop.closes_at - drop.opens_at == timedelta(minutes=30)
    assert (drop.queue_mode, drop.limit_per_shopper, drop.hold_seconds) == ("draw", 1, 90)
    assert phase_by_clock(drop, now=timezone.now()) is Phase.LOBBY
    assert count_units(describe(drop)).left == 100


@pytest.mark.usefixtures("catalogue")
def test_the_open_shelf_is_open_and_has_no_line() -> None:
    seed()
    shelf = Sale.objects.get(slug="open-shelf")
    assert phase_by_clock(shelf, now=timezone.now()) is Phase.OPEN
    assert shelf.queue_mode == Sale.QueueMode.NONE
    assert count_units(describe(shelf)).left == 20


@pytest.mark.usefixtures("catalogue")
def test_one_sale_is_over_and_its_units_are_in_the_shop_and_one_is_to_come() -> None:
    seed()
    now = timezone.now()
    over = Sale.objects.get(slug="spring-firing")
    assert phase_by_clock(over, now=now) is Phase.ENDED
    assert over.closes_at < now - timedelta(days=19)
    vase = demo_sales.FIRING[0]
    assert stock.available(skus=[vase.sku]) == {vase.sku: vase.units}
    coming = Sale.objects.get(slug="next-kiln")
    assert phase_by_clock(coming, now=now) is Phase.SCHEDULED
    assert count_units(describe(coming)).left == 22


@pytest.mark.usefixtures("catalogue")
def test_seeding_twice_changes_nothing() -> None:
    assert len(seed()) == 4
    sales_before = list(Sale.objects.order_by("pk").values())
    stock_before = list(Stock.objects.order_by("pk").values())
    assert seed() == []
    assert list(Sale.objects.order_by("pk").values()) == sales_before
    assert list(Stock.objects.order_by("pk").values()) == stock_before
    assert SaleItem.objects.count() == len(demo_sales.OFFERS)


@pytest.mark.usefixtures("catalogue")
def test_a_fresh_sale_takes_the_place_of_the_earlier_one() -> None:
    seed()
    earlier = Sale.objects.get(slug="first-light")
    assert [sale.slug for sale in seed(fresh=True)] == ["first-light"]
    earlier.refresh_from_db()
    now_there = Sale.objects.get(slug="first-light")
    assert now_there.pk != earlier.pk
    assert earlier.status == Sale.Status.ENDED
    opened = timezone.localtime(earlier.opens_at)
    assert earlier.slug == f"first-light-{opened:%Y%m%d-%H%M%S}"
    assert count_units(describe(earlier)).left == 0
    assert count_units(describe(now_there)).left == 100


@pytest.mark.usefixtures("catalogue")
def test_a_sale_that_ended_by_itself_is_put_away_as_well() -> None:
    seed()
    sales.end(Sale.objects.get(slug="first-light"))
    assert [sale.slug for sale in seed(fresh=True)] == ["first-light"]
    assert Sale.objects.filter(slug__startswith="first-light").count() == 2


def test_stock_is_topped_up_when_the_main_pool_is_short(catalogue: list[Variant]) -> None:
    lamp = catalogue[0]
    stock.receive(sku=lamp.sku, quantity=30)
    seed()
    assert stock.available(skus=[lamp.sku]) == {lamp.sku: 0}
    assert sum(Stock.objects.filter(sku=lamp.sku).values_list("on_hand", flat=True)) == 100


def test_a_catalogue_without_the_lamp_is_a_clear_error_and_makes_no_sale() -> None:
    with pytest.raises(demo_sales.NoSuchVariantError, match="FIRST-LIGHT-EMBER"):
        seed()
    assert not Sale.objects.exists()


def test_production_is_refused(settings: Settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="no place in a real shop"):
        call_command("seed_demo")
    assert not Sale.objects.exists()


def test_the_command_seeds_the_catalogue_and_its_sales() -> None:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    assert [line.split(", opens")[0] for line in out.getvalue().splitlines()] == [
        "Scheduled The First Light drop",
        "Scheduled The open shelf",
        "Scheduled The spring firing",
        "Scheduled The next kiln",
    ]
    out = StringIO()
    call_command("seed_demo", stdout=out)
    assert out.getvalue() == ""
