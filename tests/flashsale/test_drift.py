import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
import redis
from django.core import mail
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from flashsale import drift, figures, gate, sales, store
from flashsale.drift import ItemReading, Reading, Verdict, judge, read, watch
from flashsale.keys import key
from flashsale.models import Drift, Sale
from flashsale.sales import SaleInfo
from inventory import stock
from inventory.models import Stock
from tests.clicks import claim, open_sale
from tests.factories import make_sale, make_user
from tests.inventory.test_admin import sign_in
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def people_to_tell(settings: Settings) -> None:
    settings.ALERT_EMAILS = ["ada@example.com"]
    drift._told_of_redis = False


# The decision


def readings(*drifts: int | None, every: float = 4.0) -> list[Reading]:
    """One reading after the other, of an item with ten units free; None is a gate that is not there."""
    return [
        Reading(
            at=1000.0 + every * index,
            items=(
                ItemReading(item=1, gate=None if by is None else 10 + by, available=12, queued=2),
            ),
        )
        for index, by in enumerate(drifts)
    ]


@pytest.mark.parametrize(
    ("drifts", "verdict"),
    [
        ([], Verdict.UNSURE),
        ([0], Verdict.AGREES),
        ([3], Verdict.UNSURE),
        ([3] * 5, Verdict.UNSURE),
        ([3] * 6, Verdict.DRIFTS),
        ([-1, -2, -3, -4, -5, -6], Verdict.DRIFTS),
        ([3, 3, 0, 3, 3, 3, 3], Verdict.UNSURE),
        ([3, 3, 3, -1, 3, 3, 3], Verdict.UNSURE),
        ([0, 3, 3, 3, 3, 3, 3], Verdict.DRIFTS),
        ([3] * 10 + [0], Verdict.AGREES),
        ([3] * 10 + [None], Verdict.UNSURE),
    ],
)
def test_drift_counts_when_it_stands_in_reading_after_reading(
    drifts: list[int | None], verdict: Verdict
) -> None:
    assert judge(readings(*drifts), item=1) is verdict


def test_many_readings_in_a_short_time_prove_nothing() -> None:
    assert judge(readings(*[3] * 20, every=1.0), item=1) is Verdict.UNSURE
    assert judge(readings(*[3] * 21, every=1.0), item=1) is Verdict.DRIFTS


def test_an_item_that_no_reading_knows_is_not_judged() -> None:
    assert judge(readings(*[3] * 10), item=2) is Verdict.UNSURE


def test_a_gate_is_never_expected_below_nought() -> None:
    assert ItemReading(item=1, gate=0, available=1, queued=5).drift == 0
    assert ItemReading(item=1, gate=2, available=1, queued=5).drift == 2


def test_readings_survive_being_kept() -> None:
    for reading in readings(3, None):
        assert drift._load(drift._dump(reading)) == reading


# A reading


def test_a_reading_has_both_sides_and_what_waits_between_them() -> None:
    sale = open_sale(units=3, items=2)
    claim(sale, make_user())
    now = timezone.now()
    first, second = (item.id for item in sale.items)
    assert read(sale, now=now) == Reading(
        at=now.timestamp(),
        items=(
            ItemReading(item=first, gate=2, available=3, queued=1),
            ItemReading(item=second, gate=3, available=3, queued=0),
        ),
    )


def test_without_a_gate_there_is_nothing_to_compare() -> None:
    sale = make_sale()
    reading = read(sale, now=timezone.now())
    assert reading is not None
    assert (reading.items[0].gate, reading.items[0].drift) == (None, None)


def with_a_batch_in_the_middle(sale: SaleInfo, *, times: int) -> Any:
    """Somebody else settles a claim after PostgreSQL was read, so many times."""
    left = [times]

    def count(info: SaleInfo) -> sales.Units:
        units = sales.count_units(info)
        if left[0]:
            left[0] -= 1
            stock.adjust(sku=sale.items[0].sku, change=-1, reason="taken", pool=sale.scope)
            entries = store.client().xrange(key(sale.id, "claims"))
            gate.acknowledge(sale_id=sale.id, group="drain", stream_ids=[entries[0][0]])
        return units

    return mock.patch.object(drift, "count_units", count)


def test_a_batch_in_the_middle_of_a_reading_makes_it_read_again() -> None:
    sale = open_sale(units=5)
    claim(sale, make_user())
    with with_a_batch_in_the_middle(sale, times=1):
        reading = read(sale, now=timezone.now())
    assert reading is not None
    assert (reading.items[0].available, reading.items[0].queued) == (4, 0)
    assert reading.items[0].drift == 0


def test_a_reading_that_is_interrupted_each_time_says_nothing() -> None:
    sale = open_sale(units=9)
    for _ in range(drift.TRIES):
        claim(sale, make_user())
    with with_a_batch_in_the_middle(sale, times=drift.TRIES):
        assert read(sale, now=timezone.now()) is None


def test_control_without_the_fence_the_reading_shows_drift_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale(units=5)
    claim(sale, make_user())
    honest = store.script

    def unfenced(name: str) -> Any:
        if name != "look":
            return honest(name)
        return lambda **call: ["0", *honest(name)(**call)[1:]]

    monkeypatch.setattr(store, "script", unfenced)
    with with_a_batch_in_the_middle(sale, times=1):
        reading = read(sale, now=timezone.now())
    assert reading is not None
    assert reading.items[0].drift == -1


def test_a_queue_that_is_too_long_to_be_summed_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sale = open_sale(units=5)
    for _ in range(2):
        claim(sale, make_user())
    assert read(sale, now=timezone.now()) is not None
    monkeypatch.setattr("flashsale.drift.SUMMED_CLAIMS", 1)
    assert read(sale, now=timezone.now()) is None


# The monitor


def spoil(sale: SaleInfo, *, free: int) -> None:
    store.client().hset(key(sale.id, "gate"), f"free:{sale.items[0].id}", free)


def watch_for(
    seconds: int, *, start: datetime | None = None, between: Callable[[], object] = lambda: None
) -> datetime:
    """Beat's runs over some seconds, with something in between; returns the end."""
    start = start or timezone.now()
    for passed in range(0, seconds + 1, 3):
        watch(now=start + timedelta(seconds=passed))
        between()
    return start + timedelta(seconds=seconds)


def test_a_gate_that_does_not_follow_is_recorded_logged_and_mailed_once(
    caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    sale = open_sale(units=5)
    claim(sale, make_user())
    spoil(sale, free=9)
    start = timezone.now()
    watch_for(60, start=start)
    row = Drift.objects.get()
    assert (row.sale_id, row.item_id) == (sale.id, sale.items[0].id)
    assert (row.gate, row.available, row.queued, row.drift) == (9, 5, 1, 5)
    assert row.began_at - start == timedelta(seconds=21)
    assert row.ended_at is None
    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    assert f"the gate of {sale.name} has drifted: {sale.items[0].sku}" in message.subject
    assert "so it should be 4." in message.body
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 1
    assert "\nholdfast_drifting_items 1\n" in client.get("/metrics").content.decode()


def test_control_a_gate_that_follows_within_a_sync_raises_nothing() -> None:
    sale = open_sale(units=5)
    info = sales.describe(Sale.objects.get())

    def follow_and_drift_again() -> None:
        gate.sync(info, now=timezone.now())
        watch(now=timezone.now())
        spoil(sale, free=9)

    spoil(sale, free=9)
    watch_for(120, between=follow_and_drift_again)
    assert not Drift.objects.exists()
    assert mail.outbox == []


def test_units_that_come_free_between_two_syncs_raise_nothing() -> None:
    """The ordinary case: the gate is too low until beat sets it, again and again."""
    sale = open_sale(units=5)
    info = sales.describe(Sale.objects.get())

    def a_hold_ends() -> None:
        stock.receive(sku=sale.items[0].sku, quantity=1, pool=sale.scope)
        watch(now=timezone.now())
        gate.sync(info, now=timezone.now())

    watch_for(120, between=a_hold_ends)
    assert not Drift.objects.exists()


def test_an_episode_ends_when_the_gate_agrees_and_the_next_one_alerts_again(client: Client) -> None:
    sale = open_sale(units=5)
    spoil(sale, free=9)
    now = watch_for(30)
    gate.sync(sale, now=timezone.now())
    now = watch_for(0, start=now + timedelta(seconds=3))
    row = Drift.objects.get()
    assert row.ended_at == now
    assert "\nholdfast_drifting_items 0\n" in client.get("/metrics").content.decode()
    spoil(sale, free=1)
    watch_for(30, start=now + timedelta(seconds=3))
    assert [(row.gate, row.ended_at) for row in Drift.objects.order_by("id")][1] == (1, None)
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("change", [{"status": "ended"}, {"strategy": "lock"}])
def test_an_episode_ends_with_its_sale_or_when_claims_leave_the_gate(
    change: dict[str, str],
) -> None:
    sale = open_sale(units=5)
    spoil(sale, free=9)
    now = watch_for(30)
    Sale.objects.update(**change)
    watch(now=now + timedelta(seconds=3))
    assert Drift.objects.get().ended_at == now + timedelta(seconds=3)


def test_a_sale_that_claims_in_the_database_is_not_watched() -> None:
    sale = open_sale(units=5, strategy="version")
    spoil(sale, free=9)
    watch_for(60)
    assert not Drift.objects.exists()


def test_two_monitors_at_once_open_one_episode_and_write_one_mail() -> None:
    sale = open_sale(units=5)
    spoil(sale, free=9)
    now = watch_for(18)
    assert not Drift.objects.exists()
    at_once(*[partial(watch, now=now + timedelta(seconds=3))] * 4)
    assert Drift.objects.count() == 1
    assert len(mail.outbox) == 1


def test_the_database_refuses_a_second_open_episode_of_an_item() -> None:
    sale = open_sale()
    fields = {"sale_id": sale.id, "item_id": sale.items[0].id, "began_at": timezone.now()}
    Drift.objects.create(**fields, gate=1, available=0, queued=0)
    with pytest.raises(IntegrityError, match="drift_one_open_episode_per_item"):
        Drift.objects.create(**fields, gate=1, available=0, queued=0)


def test_with_redis_away_nothing_is_recorded_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sale = open_sale(units=5)
    spoil(sale, free=9)
    with mock.patch.object(store, "script", side_effect=redis.ConnectionError("gone")):
        now = watch_for(60)
    assert not Drift.objects.exists()
    assert mail.outbox == []
    said = [record for record in caplog.records if "the drift monitor waits" in record.getMessage()]
    assert len(said) == 1
    watch(now=now)
    with mock.patch.object(store, "script", side_effect=redis.ConnectionError("gone again")):
        watch_for(30, start=now)
    said = [record for record in caplog.records if "the drift monitor waits" in record.getMessage()]
    assert len(said) == 2


def test_a_redis_that_lost_everything_is_no_drift() -> None:
    """The gate is not there: the next claim or beat sets it, and nobody is turned away wrongly."""
    open_sale(units=5)
    store.client().flushdb()
    watch_for(60)
    assert not Drift.objects.exists()


def test_the_readings_do_not_stay_in_redis() -> None:
    sale = open_sale()
    watch_for(120)
    name = key(sale.id, "readings")
    assert store.client().llen(name) == drift.MOST_READINGS
    assert 0 < store.client().ttl(name) <= drift.KEPT_SECONDS


# Where people see it


def test_the_sales_figures_count_like_the_monitor() -> None:
    sale = open_sale(units=5, items=2)
    claim(sale, make_user())
    row = Sale.objects.get()
    agreeing = figures.read(row, now=timezone.now())
    assert (agreeing.gate, agreeing.queued, agreeing.drift) == (9, 1, 0)
    spoil(sale, free=2)
    store.client().hset(key(sale.id, "gate"), f"free:{sale.items[1].id}", 6)
    assert figures.read(row, now=timezone.now()).drift == -2


def test_staff_see_the_episodes_and_change_none(client: Client, settings: Settings) -> None:
    sign_in(client, settings, group="Staff")
    sale = open_sale(units=5)
    spoil(sale, free=9)
    watch_for(30)
    url = reverse("admin:flashsale_drift_changelist")
    page = client.get(url, {"q": sale.items[0].sku, "episode": "now"})
    assert list(page.context["cl"].result_list) == [Drift.objects.get()]
    assert "it drifts now" in page.content.decode()
    change = reverse("admin:flashsale_drift_change", args=[Drift.objects.get().pk])
    assert "+4" in client.get(change).content.decode()
    assert client.post(change, {"gate": 0}).status_code == 403
    assert client.get(reverse("admin:flashsale_drift_add")).status_code == 403
    assert Stock.objects.get(pool=sale.scope).on_hand == 5
