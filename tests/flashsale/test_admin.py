from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from flashsale import line, purchases, shedding, store
from flashsale.keys import key
from flashsale.models import LoadLevel, Purchase, Sale
from flashsale.sales import pool_name
from inventory.models import Stock
from shop import accounts
from shop.models import User
from tests.factories import make_draft, make_sale, make_user, make_variant
from tests.flashsale.test_audit import buy

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def without_second_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


def sign_in(client: Client, group: str) -> User:
    accounts.ensure_groups()
    user = make_user(is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


@pytest.fixture
def merchant(client: Client, settings: Settings) -> User:
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "django.contrib.auth.backends.ModelBackend",
    ]
    return sign_in(client, "Merchants")


def posted(sale: Sale | None = None, **changes: Any) -> dict[str, Any]:
    """What the browser sends for the sale's form, with one item or the sale's own."""
    now = timezone.localtime().replace(microsecond=0)
    times = {
        "lobby_opens_at": now + timedelta(hours=1),
        "opens_at": now + timedelta(hours=2),
        "closes_at": now + timedelta(hours=3),
    }
    form: dict[str, Any] = {
        "name": "Spring lamps",
        "slug": "spring-lamps",
        "tagline": "",
        "description": "",
        "queue_mode": "draw",
        "limit_per_shopper": 1,
        "hold_seconds": 600,
        "admission_cap": 50,
        "admission_seconds": 180,
        "items-TOTAL_FORMS": 0,
        "items-INITIAL_FORMS": 0,
    }
    if sale is not None:
        times = {name: timezone.localtime(getattr(sale, name)) for name in times}
        form |= {name: getattr(sale, name) for name in form if hasattr(sale, name)}
    times |= {name: changes.pop(name) for name in list(changes) if name in times}
    for name, moment in times.items():
        form |= {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M:%S}"}
    return form | changes


def item(variant: Any, *, price: str = "60.00", units: int = 3) -> dict[str, Any]:
    return {
        "items-TOTAL_FORMS": 1,
        "items-0-variant": variant.pk,
        "items-0-price": price,
        "items-0-units": units,
        "items-0-position": 0,
    }


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def change_url(sale: Sale) -> str:
    return reverse("admin:flashsale_sale_change", args=[sale.pk])


def take_step(client: Client, sale: Sale, name: str) -> Any:
    return client.post(reverse("admin:flashsale_sale_step", args=[sale.pk, name]), follow=True)


# Drafts


@pytest.mark.usefixtures("merchant")
def test_a_merchant_saves_a_draft_which_has_no_effect(client: Client) -> None:
    variant = make_variant(units=5)
    answer = client.post(
        reverse("admin:flashsale_sale_add"), posted(**item(variant, units=3)), follow=True
    )
    assert answer.status_code == 200
    sale = Sale.objects.get(slug="spring-lamps")
    assert sale.status == Sale.Status.DRAFT
    assert [(row.variant, row.price, row.units) for row in sale.items.all()] == [
        (variant, Decimal("60.00"), 3)
    ]
    assert not Stock.objects.filter(pool=pool_name(sale.pk)).exists()
    assert Stock.objects.get(sku=variant.sku).on_hand == 5


@pytest.mark.usefixtures("merchant")
def test_times_are_entered_in_the_shops_zone_and_shown_with_it(client: Client) -> None:
    year = timezone.now().year + 1
    opens_at = datetime(year, 7, 1, 12, 0, tzinfo=BERLIN)
    client.post(
        reverse("admin:flashsale_sale_add"),
        posted(
            lobby_opens_at=opens_at - timedelta(hours=1),
            opens_at=opens_at,
            closes_at=opens_at + timedelta(hours=1),
        ),
    )
    assert Sale.objects.get().opens_at == opens_at
    page = client.get(reverse("admin:flashsale_sale_changelist")).content.decode()
    assert f"{year}-07-01 12:00 CEST" in page
    assert "Europe/Berlin" in client.get(change_url(Sale.objects.get())).content.decode()


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"lobby_opens_at": 3, "opens_at": 2}, "lobby_opens_at", "The lobby would open after"),
        ({"opens_at": 2, "closes_at": 2}, "closes_at", "the times run backward"),
        ({"opens_at": 2, "closes_at": 1}, "closes_at", "the times run backward"),
        (
            {"lobby_opens_at": -3, "opens_at": -2, "closes_at": -1},
            "closes_at",
            "This is in the past",
        ),
    ],
)
@pytest.mark.usefixtures("merchant")
def test_times_that_make_no_sense_are_explained_and_nothing_is_saved(
    client: Client, changes: dict[str, int], field: str, message: str
) -> None:
    now = timezone.localtime().replace(microsecond=0)
    moments: dict[str, Any] = {
        name: now + timedelta(hours=hours) for name, hours in changes.items()
    }
    answer = client.post(reverse("admin:flashsale_sale_add"), posted(**moments))
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in errors[field][0]
    assert not Sale.objects.exists()


@pytest.mark.usefixtures("merchant")
def test_too_many_units_and_a_price_above_the_usual_one_are_warned_of(client: Client) -> None:
    variant = make_variant(units=2)
    answer = client.post(
        reverse("admin:flashsale_sale_add"),
        posted(**item(variant, price="120.00", units=3)),
        follow=True,
    )
    told = messages_of(answer)
    assert any("3 units are wanted and 2 are free" in text for text in told)
    assert any("120.00 is above the usual 100.00" in text for text in told)
    assert Sale.objects.count() == 1


# Steps


@pytest.mark.usefixtures("merchant")
def test_scheduling_asks_first_and_then_ring_fences_the_units(client: Client) -> None:
    draft = make_draft(units=4)
    url = reverse("admin:flashsale_sale_step", args=[draft.pk, "schedule"])
    assert f'href="{url}"' in client.get(change_url(draft)).content.decode()
    assert client.get(url).status_code == 200
    draft.refresh_from_db()
    assert draft.status == Sale.Status.DRAFT
    answer = take_step(client, draft, "schedule")
    assert messages_of(answer) == [f"{draft.name} was scheduled."]
    draft.refresh_from_db()
    assert draft.status == Sale.Status.SCHEDULED
    assert Stock.objects.get(pool=pool_name(draft.pk)).on_hand == 4
    entry = LogEntry.objects.get(object_id=str(draft.pk))
    assert entry.get_change_message() == "Scheduled."


@pytest.mark.usefixtures("merchant")
def test_scheduling_without_enough_stock_says_so_and_changes_nothing(client: Client) -> None:
    draft = make_draft(units=4)
    draft.items.update(units=5)
    answer = take_step(client, draft, "schedule")
    sku = draft.items.get().variant.sku
    assert messages_of(answer) == [f"{sku} has 4 free units in main; 5 would be needed."]
    draft.refresh_from_db()
    assert draft.status == Sale.Status.DRAFT
    assert not LogEntry.objects.exists()


@pytest.mark.usefixtures("merchant")
def test_a_sale_is_paused_resumed_and_ended_and_redis_is_told(client: Client) -> None:
    info = make_sale(units=4)
    sale = Sale.objects.get(pk=info.id)
    gate = key(sale.pk, "gate")
    for name, status, state in [
        ("pause", "paused", "closed"),
        ("resume", "scheduled", "open"),
        ("end", "ended", "closed"),
    ]:
        take_step(client, sale, name)
        sale.refresh_from_db()
        assert sale.status == status
        assert store.client().hget(gate, "state") == state
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Paused.",
        "Resumed.",
        "Ended.",
    ]
    assert Stock.objects.get(pool="main").on_hand == 4


@pytest.mark.usefixtures("merchant")
def test_cancelling_keeps_what_was_promised(client: Client) -> None:
    info = make_sale(units=4)
    purchase = buy(info, make_user())
    take_step(client, Sale.objects.get(pk=info.id), "cancel")
    assert Sale.objects.get(pk=info.id).status == Sale.Status.CANCELLED
    assert purchases.state_of(purchase) is purchases.State.HELD
    assert Stock.objects.get(pool="main").on_hand == 3


@pytest.mark.usefixtures("merchant")
def test_a_step_that_is_not_possible_any_more_says_why(client: Client) -> None:
    info = make_sale()
    sale = Sale.objects.get(pk=info.id)
    take_step(client, sale, "end")
    answer = take_step(client, sale, "pause")
    assert messages_of(answer) == [f"{sale.name} is ended, so it cannot become paused."]
    assert Sale.objects.get(pk=sale.pk).status == Sale.Status.ENDED


def test_staff_see_sales_and_change_none(client: Client, merchant: User) -> None:
    merchant.groups.set([Group.objects.get(name="Staff")])
    draft = make_draft()
    page = client.get(change_url(draft))
    assert page.status_code == 200
    assert "/confirm/" not in page.content.decode()
    url = reverse("admin:flashsale_sale_step", args=[draft.pk, "schedule"])
    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403
    draft.refresh_from_db()
    assert draft.status == Sale.Status.DRAFT


# After scheduling


@pytest.mark.usefixtures("merchant")
def test_after_scheduling_the_opening_and_the_items_stand(client: Client) -> None:
    sale = Sale.objects.get(pk=make_sale().id)
    page = client.get(change_url(sale))
    editable = set(page.context["adminform"].form.fields)
    assert editable == {
        "name",
        "tagline",
        "description",
        "line_text",
        "line_logo",
        "line_logo_alt",
        "line_colour",
        "closes_at",
        "limit_per_shopper",
        "hold_seconds",
        "hold_extension_seconds",
        "admission_cap",
        "admissions_per_minute",
        "admission_seconds",
        "strategy",
        "fallback",
    }
    assert "The sale is scheduled: shoppers know when it opens" in page.content.decode()
    later = timezone.localtime(sale.opens_at) + timedelta(minutes=5)
    client.post(
        change_url(sale),
        posted(sale, opens_at=later, name="New name", **item(make_variant(), price="1.00")),
    )
    opens_at = sale.opens_at
    sale.refresh_from_db()
    assert (sale.name, sale.opens_at) == ("New name", opens_at)
    assert [row.price for row in sale.items.all()] == [Decimal("60.00")]


@pytest.mark.usefixtures("merchant")
def test_a_later_end_reaches_the_gate(client: Client) -> None:
    sale = Sale.objects.get(pk=make_sale().id)
    closes_at = sale.closes_at.replace(microsecond=0) + timedelta(hours=1)
    client.post(change_url(sale), posted(sale, closes_at=timezone.localtime(closes_at)))
    sale.refresh_from_db()
    assert sale.closes_at == closes_at
    known = store.client().hget(key(sale.pk, "gate"), "closes")
    assert known == str(int(closes_at.timestamp() * 1000))


@pytest.mark.parametrize(("limit", "expected"), [(1, 2), (3, 3)])
@pytest.mark.usefixtures("merchant")
def test_the_limit_of_a_scheduled_sale_only_goes_up(
    client: Client, limit: int, expected: int
) -> None:
    sale = Sale.objects.get(pk=make_sale(limit_per_shopper=2).id)
    client.post(change_url(sale), posted(sale, limit_per_shopper=limit))
    sale.refresh_from_db()
    assert sale.limit_per_shopper == expected


@pytest.mark.usefixtures("merchant")
def test_the_change_page_shows_where_the_units_are(client: Client) -> None:
    info = make_sale(units=5)
    buy(info, make_user())
    page = client.get(change_url(Sale.objects.get(pk=info.id))).content.decode()
    for label, number in [("Sold", 0), ("Held", 1), ("Free", 4), ("In line", "no line")]:
        assert f'<th scope="row">{label}</th><td>{number}</td>' in page
    assert "4, agrees with the books" in page


@pytest.mark.usefixtures("merchant")
def test_the_change_page_shows_how_the_line_moves_and_what_holds_it_up(client: Client) -> None:
    info = make_sale(queue_mode=Sale.QueueMode.FIRST_COME, units=100, admission_cap=4)
    now = timezone.now()
    for _ in range(10):
        line.join(info, shopper=uuid4(), now=now)
    line.renew(info, now=now)
    line.renew(info, now=now + timedelta(seconds=1))
    page = client.get(change_url(Sale.objects.get(pk=info.id))).content.decode()
    rows = {
        "In line": "6",
        "Joined the line": "10",
        "Called": "4",
        "Came in": "0",
        "Did not come": "0; now 100% of those who are called come",
        "Coming in": "0.0 a minute",
        "Line moves on by": "2.7 places a minute",  # four at a time, for a minute and a half each
        "Held up by": "the cap: as many are inside, or on their way, as may be",
    }
    for label, value in rows.items():
        assert f'<th scope="row">{label}</th><td>{value}</td>' in page


@pytest.mark.usefixtures("merchant")
def test_a_gate_that_drifted_is_shown(client: Client) -> None:
    info = make_sale(units=5)
    buy(info, make_user())
    store.client().hset(key(info.id, "gate"), f"free:{info.items[0].id}", "2")
    page = client.get(change_url(Sale.objects.get(pk=info.id))).content.decode()
    assert "2, -2 against the books" in page


@pytest.mark.usefixtures("merchant")
def test_a_scheduled_sale_is_not_deleted_and_a_draft_is(client: Client) -> None:
    sale = Sale.objects.get(pk=make_sale().id)
    url = reverse("admin:flashsale_sale_delete", args=[sale.pk])
    answer = client.post(url, {"post": "yes"}, follow=True)
    assert "cannot be deleted. End or cancel it instead." in messages_of(answer)[0]
    assert Sale.objects.filter(pk=sale.pk).exists()
    draft = make_draft()
    client.post(reverse("admin:flashsale_sale_delete", args=[draft.pk]), {"post": "yes"})
    assert not Sale.objects.filter(pk=draft.pk).exists()


@pytest.mark.usefixtures("merchant")
def test_the_list_costs_nine_queries_however_many_sales_there_are(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        make_sale()
    with django_assert_max_num_queries(9):
        page = client.get(reverse("admin:flashsale_sale_changelist"))
    assert page.content.decode().count("3 of 3") == 6


# Purchases


@pytest.mark.usefixtures("merchant")
def test_purchases_are_found_by_email_and_are_read_only(client: Client) -> None:
    sale = make_sale()
    ada, grace = make_user(email="ada@example.com"), make_user(email="grace@example.com")
    purchase = buy(sale, ada)
    buy(sale, grace)
    page = client.get(reverse("admin:flashsale_purchase_changelist"), {"q": "ada@example"})
    found = list(page.context["cl"].result_list)
    assert found == [purchase]
    assert "Held" in page.content.decode()
    url = reverse("admin:flashsale_purchase_change", args=[purchase.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, {"quantity": 2}).status_code == 403
    assert Purchase.objects.get(pk=purchase.pk).quantity == 1


# The load level


@pytest.mark.usefixtures("merchant")
def test_a_brownout_is_set_in_the_admin_and_recorded(client: Client, merchant: User) -> None:
    url = reverse("admin:flashsale_loadlevel_changelist")
    answer = client.post(url, {"level": "brownout", "minutes": 10, "reason": "a rush"}, follow=True)
    row = LoadLevel.objects.get()
    assert (row.level, row.reason, row.set_by) == ("brownout", "a rush", merchant.email)
    assert "Brownout: optional features off, until" in answer.content.decode()
    assert shedding.current().level == "brownout"
    client.post(url, {"level": "normal", "minutes": "", "reason": "over"})
    assert shedding.current().level == "normal"


@pytest.mark.usefixtures("merchant")
def test_a_brownout_without_an_end_or_a_reason_is_refused(client: Client) -> None:
    url = reverse("admin:flashsale_loadlevel_changelist")
    answer = client.post(url, {"level": "brownout", "minutes": "", "reason": ""})
    assert set(answer.context["form"].errors) == {"minutes", "reason"}
    assert not LoadLevel.objects.exists()


def test_nobody_sets_the_level_without_the_permission(client: Client, merchant: User) -> None:
    group = Group.objects.get(name="Merchants")
    group.permissions.remove(group.permissions.get(codename="add_loadlevel"))
    url = reverse("admin:flashsale_loadlevel_changelist")
    client.post(url, {"level": "brownout", "minutes": 10, "reason": "a rush"})
    assert client.get(url).context["form"] is None
    assert not LoadLevel.objects.exists()
