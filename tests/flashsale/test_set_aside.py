"""Claims that cannot be decided: they spoil nothing but themselves, and somebody sees them."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from flashsale import buying, drain, gate, purchases, settling, store
from flashsale.buying import Accepted
from flashsale.keys import key
from flashsale.models import Purchase, SetAsideClaim
from flashsale.sales import SaleInfo
from inventory.models import Stock
from shop.models import User
from tests.clicks import claim, free_at_the_gate, open_sale, queued
from tests.factories import make_sale, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_lease(settings: Settings) -> None:
    """Whoever asks is given the claims of others at once."""
    settings.CLAIM_LEASE_SECONDS = 0


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> set[UUID]:
    """Purchases whose claims break the batch that they are in."""
    bad: set[UUID] = set()
    decide = settling._decide

    def decide_unless_bad(sale: SaleInfo, claims: Any, **options: Any) -> Any:
        if any(claim.purchase in bad for claim in claims):
            raise DataError("value too long")
        return decide(sale, claims, **options)

    monkeypatch.setattr(settling, "_decide", decide_unless_bad)
    return bad


@pytest.mark.usefixtures("no_lease")
def test_a_claim_that_cannot_be_settled_is_set_aside_at_the_third_try_and_the_others_are_held(
    poison: set[UUID],
) -> None:
    """Failure 16: only its own shopper's purchase comes to nothing."""
    sale, unlucky = open_sale(units=5), make_user()
    good = [claim(sale, make_user()) for _ in range(2)]
    bad = claim(sale, unlucky)
    poison.add(bad)
    assert drain.drain(sale, consumer="w1").held == 2
    assert set(Purchase.objects.values_list("pk", flat=True)) == set(good)
    assert (queued(sale), SetAsideClaim.objects.count()) == (1, 0)
    drain.drain(sale, consumer="w2")
    assert (queued(sale), SetAsideClaim.objects.count()) == (1, 0)
    drain.drain(sale, consumer="w3")
    assert queued(sale) == 0
    row = SetAsideClaim.objects.get()
    assert (row.sale_id, row.name, row.shopper) == (sale.id, str(bad), str(unlucky.shopper_id))
    assert row.content == {"item": str(sale.items[0].id), "quantity": "1"}
    assert (row.reason, row.resolution) == ("DataError: value too long", "open")
    # Its unit is for sale again, and so is another click of its shopper.
    gate.sync(sale, now=timezone.now())
    assert free_at_the_gate(sale) == 3
    again = buying.buy(
        sale=sale,
        shopper=unlucky.shopper_id,
        item=sale.items[0].id,
        quantity=1,
        attempt="again",
        now=timezone.now(),
    )
    assert isinstance(again, Accepted)


@pytest.mark.usefixtures("no_lease")
def test_control_a_batch_that_is_not_taken_apart_keeps_everybody_waiting(
    poison: set[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    sale = open_sale(units=5)
    claim(sale, make_user())
    poison.add(claim(sale, make_user()))
    monkeypatch.setattr(drain, "_settle_apart", lambda sale, claims: {})
    for number in range(5):
        drain.drain(sale, consumer=f"w{number}")
    assert (Purchase.objects.count(), queued(sale)) == (0, 2)


def test_what_cannot_be_read_is_set_aside_at_once_and_counts_for_no_unit() -> None:
    sale = open_sale(units=3)
    stream_id = store.client().xadd(key(sale.id, "claims"), {"purchase": "not one"})
    gate.sync(sale, now=timezone.now())
    assert free_at_the_gate(sale) == 3
    known = claim(sale, make_user())
    assert drain.drain(sale, consumer="w1").held == 1
    row = SetAsideClaim.objects.get()
    assert (row.name, row.content) == (stream_id, {"purchase": "not one"})
    assert Purchase.objects.get().pk == known


def test_a_claim_that_is_delivered_twice_is_set_aside_once() -> None:
    sale = open_sale()
    nobody = settling.Claim(uuid4(), uuid4(), sale.items[0].id, 1, timezone.now())
    settling.settle(sale, [nobody])
    settling.settle(sale, [nobody])
    assert SetAsideClaim.objects.get().reason == "no live account"


def test_a_database_that_is_away_is_no_claim_s_fault_and_another_worker_has_them_at_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CLAIM_LEASE_SECONDS = 60
    sale = open_sale(units=5)
    known = claim(sale, make_user())

    def away(*args: Any) -> None:
        raise OperationalError("the connection was closed")

    with monkeypatch.context() as patch:
        patch.setattr(settling, "settle", away)
        for number in range(drain.MOST_TRIES + 1):
            with pytest.raises(OperationalError):
                drain.drain(sale, consumer=f"w{number}")
    assert (queued(sale), SetAsideClaim.objects.count()) == (1, 0)
    assert drain.drain(sale, consumer="other").held == 1
    assert Purchase.objects.get().pk == known


def test_control_claims_that_are_not_handed_back_wait_for_the_lease(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.CLAIM_LEASE_SECONDS = 60
    sale = open_sale(units=5)
    claim(sale, make_user())
    with monkeypatch.context() as patch:
        patch.setattr(drain, "hand_back", lambda **claims: None)
        patch.setattr(settling, "settle", lambda *args: (_ for _ in ()).throw(OperationalError()))
        with pytest.raises(OperationalError):
            drain.drain(sale, consumer="w1")
    assert drain.drain(sale, consumer="other").held == 0


def test_the_shopper_reads_that_nothing_was_taken(client: Client) -> None:
    sale, user = open_sale(), make_user(is_active=False)
    known = purchases.name_purchase(
        sale_id=sale.id,
        shopper=user.shopper_id,
        attempt="one",
        item=sale.items[0].id,
        quantity=1,
    )
    claim(sale, user, purchase=known)
    drain.drain(sale, consumer="w1")
    user.is_active = True
    user.save()
    client.force_login(user)
    assert purchases.find(known, shopper=user.shopper_id) is None
    page = client.get(reverse("flashsale:purchase", args=[known]))
    assert "We could not take this click" in page.content.decode()
    answer = client.get(reverse("api:purchase", args=[known])).json()
    assert (answer["state"], answer["reason"]) == ("refused", "set_aside")


def test_a_claim_that_was_set_aside_is_nobody_else_s_to_see(client: Client) -> None:
    sale, user = open_sale(), make_user(is_active=False)
    known = purchases.name_purchase(
        sale_id=sale.id,
        shopper=user.shopper_id,
        attempt="one",
        item=sale.items[0].id,
        quantity=1,
    )
    claim(sale, user, purchase=known)
    drain.drain(sale, consumer="w1")
    client.force_login(make_user())
    assert client.get(reverse("flashsale:purchase", args=[known])).status_code == 404


# Back office


def act(client: Client, action: str, rows: list[SetAsideClaim]) -> str:
    answer = client.post(
        reverse("admin:flashsale_setasideclaim_changelist"),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.fixture
def clerk(client: Client, settings: Settings) -> User:
    settings.STAFF_SECOND_FACTOR = False
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.usefixtures("no_lease")
def test_staff_see_it_and_try_it_again_once_its_cause_is_gone(
    client: Client, clerk: User, poison: set[UUID]
) -> None:
    sale = open_sale(units=5)
    bad = claim(sale, make_user())
    poison.add(bad)
    for number in range(drain.MOST_TRIES):
        drain.drain(sale, consumer=f"w{number}")
    row = SetAsideClaim.objects.get()
    page = client.get(reverse("admin:flashsale_setasideclaim_changelist"))
    assert str(bad) in page.content.decode()
    assert "value too long" in act(client, "try_again", [row])
    row.refresh_from_db()
    assert row.resolution == "open"
    poison.clear()
    assert "held" in act(client, "try_again", [row])
    row.refresh_from_db()
    assert (row.resolution, row.resolved_by) == ("retried", clerk.email)
    assert Purchase.objects.get().pk == bad
    # Once more does nothing: it is no longer open.
    act(client, "try_again", [row])
    assert Stock.objects.get(pool=sale.scope).allocated == 1


def test_staff_dismiss_what_cannot_be_read(client: Client, clerk: User) -> None:
    sale = make_sale()
    settling.set_aside(
        sale_id=sale.id, name="1-0", content={"purchase": "?"}, reason="not readable"
    )
    row = SetAsideClaim.objects.get()
    assert "dismiss it" in act(client, "try_again", [row])
    assert act(client, "dismiss", [row]) == "Dismissed: 1."
    row.refresh_from_db()
    assert (row.resolution, row.resolved_by) == ("dismissed", clerk.email)


def test_who_may_only_look_cannot_try_again(client: Client, settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    user = make_user(is_staff=True)
    client.force_login(user)
    assert client.get(reverse("admin:flashsale_setasideclaim_changelist")).status_code == 403
