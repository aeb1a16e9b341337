"""Every way that somebody may try to buy without an admission: each is refused, and nothing is taken."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from flashsale import gate, shoppers, store, tickets
from flashsale.keys import key
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo, count_units
from flashsale.signatures import QuickSigner
from inventory.models import Reservation
from shop import checkout
from shop.checkout import Short
from shop.models import CartLine, Variant
from tests.factories import make_sale, make_user
from tests.over_wsgi import client_of, serve
from tests.shop.ordering import ADDRESS
from tests.shop.ordering import line as order_line

pytestmark = pytest.mark.django_db

SECRET = "s" * 32
UNITS = 3


@pytest.fixture(params=[True, False], ids=["express", "django"])
def client(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setattr("flashsale.clicks.ring", lambda sale_id: None)
    with client_of(serve(express=request.param)) as client:
        yield client


@pytest.fixture
def sale() -> SaleInfo:
    sale = make_sale(units=UNITS, queue_mode=Sale.QueueMode.FIRST_COME)
    gate.sync(sale, now=timezone.now())
    return sale


@pytest.fixture
def shopper() -> UUID:
    return make_user().shopper_id


def headers(shopper: UUID, **more: str) -> dict[str, str]:
    """What a browser of ours sends with a click."""
    return {
        "Cookie": f"shopper={shoppers.sign_cookie(shopper)}; csrftoken={SECRET}",
        "X-CSRFToken": SECRET,
        "Origin": "http://testserver",
        "Content-Type": "application/json",
        "Idempotency-Key": "one",
    } | more


def taken(sale: SaleInfo) -> dict[str, object]:
    redis = store.client()
    return {
        "free": int(redis.hget(key(sale.id, "gate"), f"free:{sale.items[0].id}")),
        "claims": redis.xlen(key(sale.id, "claims")),
        "takers": redis.hlen(key(sale.id, "takers")),
        "purchases": Purchase.objects.count(),
        "reservations": Reservation.objects.count(),
        "left": count_units(sale).left,
    }


NOTHING = {
    "free": UNITS,
    "claims": 0,
    "takers": 0,
    "purchases": 0,
    "reservations": 0,
    "left": UNITS,
}


def sign(sale_id: int, shopper: UUID, *, seconds: int = 300) -> str:
    ends = timezone.now() + timedelta(seconds=seconds)
    return tickets.sign_admission(sale_id=sale_id, shopper=shopper, expires_at=ends)


def let_in(sale: SaleInfo, shopper: UUID) -> str:
    ends = timezone.now() + timedelta(minutes=5)
    store.client().zadd(key(sale.id, "active"), {str(shopper): gate.milliseconds(ends)})
    return sign(sale.id, shopper)


def body_of(sale: SaleInfo, admission: str | None = None) -> dict[str, Any]:
    return {"item": sale.items[0].id, "quantity": 1} | (
        {"admission": admission} if admission is not None else {}
    )


def test_control_with_an_admission_the_plain_click_takes_a_unit(
    client: httpx.Client, sale: SaleInfo, shopper: UUID
) -> None:
    body = body_of(sale, let_in(sale, shopper))
    answer = client.post(
        f"/api/v1/sales/{sale.slug}/purchases/", json=body, headers=headers(shopper)
    )
    assert answer.status_code == HTTPStatus.ACCEPTED
    assert taken(sale) == NOTHING | {"free": UNITS - 1, "claims": 1, "takers": 1}


ADDRESSES: dict[str, Callable[[str], str]] = {
    "plain": lambda slug: f"/api/v1/sales/{slug}/purchases/",
    "upper case": lambda slug: f"/api/v1/sales/{slug}/PURCHASES/",
    "an upper-case slug": lambda slug: f"/api/v1/sales/{slug.upper()}/purchases/",
    "an upper-case prefix": lambda slug: f"/API/v1/sales/{slug}/purchases/",
    "no slash at the end": lambda slug: f"/api/v1/sales/{slug}/purchases",
    "two slashes at the end": lambda slug: f"/api/v1/sales/{slug}/purchases//",
    "two slashes within": lambda slug: f"/api/v1/sales/{slug}//purchases/",
    "a dot": lambda slug: f"/api/v1/sales/{slug}/./purchases/",
    "two dots": lambda slug: f"/api/v1/sales/{slug}/line/../purchases/",
    "a query": lambda slug: f"/api/v1/sales/{slug}/purchases/?admission=1&item=1&format=json",
    "a letter in percent": lambda slug: f"/api/v1/sales/{slug}/%70urchases/",
    "a slash in percent": lambda slug: f"/api/v1/sales/{slug}%2Fpurchases/",
    "a semicolon": lambda slug: f"/api/v1/sales/{slug}/purchases/;x=1",
    "a newline at the end": lambda slug: f"/api/v1/sales/{slug}/purchases/%0A",
    "the page's address": lambda slug: f"/sales/{slug}/buy/",
    "the page's address in upper case": lambda slug: f"/sales/{slug}/BUY/",
    "the page's address without a slash": lambda slug: f"/sales/{slug}/buy",
    "the page's address with two slashes": lambda slug: f"/sales//{slug}/buy/",
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


REFUSED = {301, 303, 403, 404, 405}


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_and_no_method_buys_without_an_admission(
    client: httpx.Client, sale: SaleInfo, shopper: UUID, address: str
) -> None:
    for method in METHODS:
        answer = client.request(
            method, ADDRESSES[address](sale.slug), json=body_of(sale), headers=headers(shopper)
        )
        told = REFUSED | {200} if method == "OPTIONS" else REFUSED
        assert answer.status_code in told, method
    assert taken(sale) == NOTHING


@pytest.mark.parametrize("method", [method for method in METHODS if method != "POST"])
def test_no_other_method_buys_even_with_an_admission(
    client: httpx.Client, sale: SaleInfo, shopper: UUID, method: str
) -> None:
    admission = let_in(sale, shopper)
    for path in (f"/api/v1/sales/{sale.slug}/purchases/", f"/sales/{sale.slug}/buy/"):
        for more in ({}, {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}):
            client.request(
                method, path, json=body_of(sale, admission), headers=headers(shopper, **more)
            )
    assert taken(sale) == NOTHING


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_the_api_takes_no_form(
    client: httpx.Client, sale: SaleInfo, shopper: UUID, kind: str
) -> None:
    answer = client.post(
        f"/api/v1/sales/{sale.slug}/purchases/",
        content=f"item={sale.items[0].id}&quantity=1&admission={let_in(sale, shopper)}",
        headers=headers(shopper, **{"Content-Type": kind}),
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert taken(sale) == NOTHING


def changed(value: str) -> str:
    """The same with another signature."""
    return value[:-3] + ("A" if value[-3] != "A" else "B") + value[-2:]


def extended(value: str) -> str:
    """A later end under the old signature."""
    sale, shopper, ends, signature = value.split(":")
    return f"{sale}:{shopper}:{int(ends) + 60}:{signature}"


#: Admissions of somebody who is inside that are no good: the set in Redis alone must not be enough.
BAD_ADMISSIONS: dict[str, Callable[[int, UUID], str]] = {
    "none": lambda sale, shopper: "",
    "another sale's": lambda sale, shopper: sign(sale + 1, shopper),
    "another shopper's": lambda sale, shopper: sign(sale, uuid4()),
    "one that is over": lambda sale, shopper: sign(sale, shopper, seconds=-1),
    "a changed signature": lambda sale, shopper: changed(sign(sale, shopper)),
    "a changed end": lambda sale, shopper: extended(sign(sale, shopper)),
    "more parts": lambda sale, shopper: sign(sale, shopper) + ":1",
    "more parts before it": lambda sale, shopper: f"{sale}:" + sign(sale, shopper),
    "more signed parts": lambda sale, shopper: QuickSigner(salt="holdfast.admission").sign(
        f"{sale}:{shopper}:{2**31}:1"
    ),
    "fewer signed parts": lambda sale, shopper: QuickSigner(salt="holdfast.admission").sign(
        f"{sale}:{shopper}"
    ),
    "a ticket": lambda sale, shopper: tickets.sign_ticket(
        tickets.Ticket(1), sale_id=sale, shopper=shopper
    ),
    "a shopper's cookie": lambda sale, shopper: shoppers.sign_cookie(shopper),
}


@pytest.mark.parametrize("kind", BAD_ADMISSIONS)
def test_an_admission_that_is_no_good_buys_nothing_even_for_somebody_inside(
    client: httpx.Client, sale: SaleInfo, shopper: UUID, kind: str
) -> None:
    let_in(sale, shopper)
    admission = BAD_ADMISSIONS[kind](sale.id, shopper)
    path = f"/api/v1/sales/{sale.slug}/purchases/"
    said = client.post(path, json=body_of(sale, admission), headers=headers(shopper))
    assert (said.status_code, said.json()["code"]) == (403, "admission_not_valid")
    cookie = f"{headers(shopper)['Cookie']}; admission-{sale.id}={admission}"
    shown = client.post(path, json=body_of(sale), headers=headers(shopper, Cookie=cookie))
    assert (shown.status_code, shown.json()["code"]) == (403, "admission_not_valid")
    form = {"item": str(sale.items[0].id), "attempt": "one", "csrfmiddlewaretoken": SECRET}
    more = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    page = client.post(f"/sales/{sale.slug}/buy/", data=form, headers=headers(shopper, **more))
    assert (page.status_code, page.headers["Location"]) == (303, f"/sales/{sale.slug}/line/")
    assert taken(sale) == NOTHING


def test_a_good_admission_of_somebody_who_is_not_inside_any_more_buys_nothing(
    client: httpx.Client, sale: SaleInfo, shopper: UUID
) -> None:
    admission = sign(sale.id, shopper)
    said = client.post(
        f"/api/v1/sales/{sale.slug}/purchases/",
        json=body_of(sale, admission),
        headers=headers(shopper),
    )
    assert (said.status_code, said.json()["code"]) == (403, "admission_not_valid")
    assert taken(sale) == NOTHING


def test_of_a_member_that_comes_twice_the_last_one_counts(
    client: httpx.Client, sale: SaleInfo, shopper: UUID
) -> None:
    good, bad = let_in(sale, shopper), sign(sale.id, uuid4())
    answer = client.post(
        f"/api/v1/sales/{sale.slug}/purchases/",
        content=f'{{"admission": "{good}", "item": {sale.items[0].id}, "admission": "{bad}"}}',
        headers=headers(shopper),
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "admission_not_valid")
    assert taken(sale) == NOTHING


def test_an_admission_for_one_sale_buys_no_item_of_another(
    client: httpx.Client, sale: SaleInfo, shopper: UUID
) -> None:
    other = make_sale(queue_mode=Sale.QueueMode.FIRST_COME)
    gate.sync(other, now=timezone.now())
    answer = client.post(
        f"/api/v1/sales/{other.slug}/purchases/",
        json=body_of(sale, let_in(other, shopper)),
        headers=headers(shopper),
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_item")
    assert taken(sale) == NOTHING


@pytest.mark.parametrize("strategy", [Sale.Strategy.LOCK, Sale.Strategy.VERSION])
def test_the_other_strategies_ask_for_an_admission_alike(
    client: httpx.Client, shopper: UUID, strategy: str
) -> None:
    sale = make_sale(units=UNITS, queue_mode=Sale.QueueMode.FIRST_COME, strategy=strategy)
    gate.sync(sale, now=timezone.now())
    for admission in ("", sign(sale.id, shopper)):
        answer = client.post(
            f"/api/v1/sales/{sale.slug}/purchases/",
            json=body_of(sale, admission),
            headers=headers(shopper),
        )
        assert answer.status_code == HTTPStatus.FORBIDDEN
    assert taken(sale) == NOTHING


def test_ring_fenced_units_are_had_by_no_cart(sale: SaleInfo) -> None:
    client, user = Client(), make_user()
    client.force_login(user)
    client.post("/cart/add/", {"sku": sale.items[0].sku, "quantity": "1"})
    assert not CartLine.objects.exists()
    # A cart of before the units were fenced in.
    variant = Variant.objects.get(sku=sale.items[0].sku)
    placed = checkout.place_order(
        key=uuid4(), user=user, email=user.email, address=ADDRESS, lines=[order_line(variant)]
    )
    assert isinstance(placed, Short)
    assert taken(sale) == NOTHING
