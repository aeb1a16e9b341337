"""Redis is told what PostgreSQL says of a sale, also when it was away at the time."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.utils import timezone

from flashsale import gate, line, line_document, sales, steering, store
from flashsale.keys import ALL, KEEP_SECONDS, key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.tasks import close_sales, renew_lines
from tests.factories import make_sale

pytestmark = pytest.mark.django_db


def open_line(**fields: Any) -> SaleInfo:
    sale = make_sale(units=2, queue_mode=Sale.QueueMode.FIRST_COME, **fields)
    gate.sync(sale, now=timezone.now())
    line.renew(sale, now=timezone.now())
    return sale


def told(sale: SaleInfo) -> tuple[str, str]:
    """The phase of the line document, and the gate's state."""
    document = line_document.read(sale, now=timezone.now())
    return document["phase"], store.client().hget(key(sale.id, "gate"), "state")


def away(*args: object, **more: object) -> None:
    raise redis.ConnectionError


@pytest.mark.parametrize(("step", "phase"), [("end", "ended"), ("cancel", "cancelled")])
def test_a_sale_that_was_over_while_redis_was_away_is_told_by_the_next_beat(
    step: str, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = open_line()
    with monkeypatch.context() as patch:
        patch.setattr(gate, "sync", away)
        getattr(steering, step)(Sale.objects.get())
    assert told(sale) == ("open", "open")
    close_sales()
    assert told(sale) == (phase, "closed")
    assert 0 < store.client().ttl(key(sale.id, "line")) <= KEEP_SECONDS


def test_a_close_that_died_before_it_told_anybody_is_told_by_the_next_one() -> None:
    sale = open_line()
    now = timezone.now()
    Sale.objects.update(opens_at=now - timedelta(hours=1), closes_at=now - timedelta(seconds=1))
    assert [closed.pk for closed in sales.close_due(now=now)] == [sale.id]
    assert told(sale) == ("open", "open")
    close_sales()
    assert told(sale) == ("ended", "closed")


def test_a_sale_that_was_told_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    open_line()
    steering.end(Sale.objects.get())
    again: list[Sale] = []
    monkeypatch.setattr(steering, "tell", again.append)
    close_sales()
    assert again == []


def without_an_end(sale: SaleInfo) -> set[str]:
    client = store.client()
    return {name for name in ALL if client.ttl(key(sale.id, name)) == -1}


def test_whoever_comes_with_the_last_moment_leaves_no_key_for_ever() -> None:
    """A process may take a sale to be open for a second longer (`sales.COPY_SECONDS`)."""
    sale = open_line()
    for _ in range(2):
        line.join(sale, shopper=uuid4(), now=timezone.now())
    assert without_an_end(sale)
    steering.end(Sale.objects.get())
    assert without_an_end(sale) == set()
    line.join(sale, shopper=uuid4(), now=timezone.now())
    line.renew(sale, now=timezone.now())
    assert without_an_end(sale) == set()
    store.client().delete(key(sale.id, "numbers"))
    line.join(sale, shopper=uuid4(), now=timezone.now())
    assert without_an_end(sale) == {"numbers"}
    close_sales()
    assert without_an_end(sale) == set()


def test_what_is_wrong_with_one_sale_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, sound = open_line(), open_line()
    renew, renewed = line.renew, []

    def fail_for_one(sale: SaleInfo, **more: Any) -> Any:
        if sale.id == broken.id:
            raise ValueError("something nobody thought of")
        renewed.append(sale.id)
        return renew(sale, **more)

    monkeypatch.setattr(line, "renew", fail_for_one)
    renew_lines()
    assert renewed == [sound.id]


def test_what_another_version_remembered_is_no_reason_to_stop() -> None:
    sale = open_line()
    for text in ("{", '{"reason": "unheard of"}', "[]"):
        store.client().set(key(sale.id, "controller"), text)
        assert line.remembered(sale) is None
        line.renew(sale, now=timezone.now())


def test_a_sale_that_is_paused_before_its_lobby_opens_has_no_line_yet() -> None:
    later = timezone.now() + timedelta(hours=1)
    make_sale(queue_mode=Sale.QueueMode.FIRST_COME, lobby_opens_at=later, opens_at=later)
    steering.pause(Sale.objects.get())
    sale = sales.describe(Sale.objects.get())
    with pytest.raises(line.CannotJoin):
        line.join(sale, shopper=uuid4(), now=timezone.now())
