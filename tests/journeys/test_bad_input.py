"""What people and programs should not send: the right status, words that help, and nothing is changed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from django.utils import timezone

from flashsale import sales, store, tickets
from flashsale.keys import key
from flashsale.models import Purchase, Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from inventory.models import Reservation, Stock, StockMovement
from shop.models import Order, User
from shop.problems import CONTENT_TYPE
from tests.client import Client
from tests.factories import make_draft, make_sale, make_user
from tests.journeys.person import Person
from tests.stack import Stack, both_ways

# One shopper makes all of these attempts, and the limits on them are tested elsewhere.
pytestmark = [
    pytest.mark.xdist_group("journeys-bad-input"),
    both_ways(RATELIMIT_ENABLE="false"),
]


@dataclass(frozen=True)
class Counters:
    """Everything that an attempt to buy could change."""

    stock: tuple[tuple[str, str, int, int], ...]
    movements: int
    reservations: int
    purchases: int
    orders: int
    gate: tuple[tuple[str, str], ...]
    claims: int


def count() -> Counters:
    client = store.client()
    gates = [key(sale, "gate") for sale in Sale.objects.order_by("pk").values_list("pk", flat=True)]
    return Counters(
        stock=tuple(
            Stock.objects.order_by("pk").values_list("sku", "pool", "on_hand", "allocated")
        ),
        movements=StockMovement.objects.count(),
        reservations=Reservation.objects.count(),
        purchases=Purchase.objects.count(),
        orders=Order.objects.count(),
        gate=tuple(
            (gate, f"{name}={value}")
            for gate in gates
            for name, value in sorted(client.hgetall(gate).items())
            if name.startswith("free:") and value != "0"  # beat may set the gate of an ended sale
        ),
        claims=sum(
            int(client.xlen(key(sale, "claims")))
            for sale in Sale.objects.values_list("pk", flat=True)
        ),
    )


@pytest.fixture(scope="module")
def shopper(stack: Stack) -> User:
    return make_user()


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> User:
    return make_user()


@pytest.fixture(scope="module")
def client(stack: Stack, shopper: User) -> Iterator[Client]:
    with Client(stack.url, email=shopper.email) as client:
        yield client


@pytest.fixture(scope="module")
def person(stack: Stack, shopper: User) -> Iterator[Person]:
    with Person(stack.url) as person:
        page = person.visit("/accounts/login/?next=/account/")
        page = person.send(page, "/accounts/login/", login=shopper.email, password="demo")
        assert page.path == "/account/"
        yield person


def settled() -> Counters:
    """The counters, once every sale that can be has its gate in Redis and no claim waits."""
    current = Sale.objects.filter(status__in=["scheduled", "paused"], closes_at__gt=timezone.now())
    gates = [key(sale, "gate") for sale in current.values_list("pk", flat=True)]
    deadline = time.monotonic() + 20
    while True:
        counters = count()
        if (
            all(store.client().exists(gate) for gate in gates)
            and counters.claims == 0
            and counters == count()
        ):
            return counters
        assert time.monotonic() < deadline, counters
        time.sleep(0.1)


@pytest.fixture(scope="module")
def straight(stack: Stack) -> SaleInfo:
    """An open sale without a line, two units a shopper."""
    return make_sale(units=5, limit_per_shopper=2)


@pytest.fixture(scope="module")
def lined(stack: Stack) -> SaleInfo:
    """An open sale with a line."""
    return make_sale(units=5, queue_mode=Sale.QueueMode.FIRST_COME)


@pytest.fixture(scope="module")
def over(stack: Stack) -> SaleInfo:
    sale = make_sale(units=5)
    sales.end(Sale.objects.get(pk=sale.id))
    return sales.describe(Sale.objects.get(pk=sale.id))


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem document that says something."""
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    said = answer.json()
    assert said["status"] == answer.status_code
    assert len(said["detail"]) > 10
    return said["status"], said["code"]


def buy(client: Client, sale: str, body: object) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid4())}
    return client.http.post(f"sales/{sale}/purchases/", json=body, headers=headers)


@pytest.mark.parametrize("path", ["ticket", "admission", "purchases"])
def test_an_unknown_sale_is_not_found(client: Client, path: str) -> None:
    before = settled()
    answer = client.http.post(f"sales/no-such-sale/{path}/", json={"ticket": "x", "item": 1})
    assert problem(answer) == (404, "not_found")
    assert count() == before


@pytest.mark.parametrize("path", ["", "line/"])
def test_an_unknown_sale_has_no_pages(person: Person, path: str) -> None:
    page = person.visit(f"/sales/no-such-sale/{path}")
    assert (page.status, page.heading) == (404, "There is nothing here")


def test_a_draft_is_as_good_as_unknown(client: Client, person: Person) -> None:
    draft = make_draft()
    before = settled()
    item = draft.items.get().pk
    assert problem(buy(client, draft.slug, {"item": item, "quantity": 1})) == (404, "not_found")
    assert person.visit(f"/sales/{draft.slug}/").status == 404
    assert count() == before


def test_a_sale_that_is_over_sells_nothing(client: Client, over: SaleInfo) -> None:
    before = settled()
    answer = buy(client, over.slug, {"item": over.items[0].id, "quantity": 1})
    assert problem(answer) == (409, "not_open")
    assert count() == before


def test_the_page_of_a_sale_that_is_over_says_so_and_a_kept_form_is_refused(
    person: Person, over: SaleInfo, straight: SaleInfo
) -> None:
    page = person.visit(f"/sales/{over.slug}/")
    assert "This sale has ended." in page.text
    before = settled()
    kept = person.visit(f"/sales/{straight.slug}/")
    kept.form("/buy/").action = f"/sales/{over.slug}/buy/"
    page = person.send(kept, f"/sales/{over.slug}/buy/", item=over.items[0].id)
    assert (page.status, page.heading) == (409, "The sale is not open")
    assert count() == before


@pytest.mark.parametrize(
    "quantity",
    [0, -1, "x", "", 1.5, None, [1], 10**30],
    ids=["0", "-1", "x", "nothing", "1.5", "null", "list", "huge"],
)
def test_a_quantity_that_is_none_is_refused_and_named(
    client: Client, straight: SaleInfo, quantity: object
) -> None:
    before = settled()
    answer = buy(client, straight.slug, {"item": straight.items[0].id, "quantity": quantity})
    assert problem(answer) == (400, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/quantity"]
    assert count() == before


def test_more_than_the_limit_is_refused(client: Client, straight: SaleInfo) -> None:
    before = settled()
    answer = buy(client, straight.slug, {"item": straight.items[0].id, "quantity": 3})
    assert problem(answer) == (409, "limit_reached")
    assert count() == before


@pytest.mark.parametrize("quantity", ["0", "-1", "x", "", "1.5", "9" * 40])
def test_a_form_with_a_quantity_that_is_none_is_refused(
    person: Person, straight: SaleInfo, quantity: str
) -> None:
    before = settled()
    page = person.visit(f"/sales/{straight.slug}/")
    page = person.send(page, "/buy/", quantity=quantity)
    assert (page.status, page.heading) == (400, "How many?")
    assert "Choose a whole number of at least one." in page.text
    assert count() == before


@pytest.mark.parametrize(
    ("item", "status", "code"),
    [(2**40, 404, "unknown_item"), ("x", 400, "invalid"), (None, 400, "invalid")],
)
def test_something_that_is_not_in_the_sale_is_not_found(
    client: Client, straight: SaleInfo, item: object, status: int, code: str
) -> None:
    before = settled()
    assert problem(buy(client, straight.slug, {"item": item, "quantity": 1})) == (status, code)
    assert count() == before


def test_a_form_for_something_that_is_not_in_the_sale_is_not_found(
    person: Person, straight: SaleInfo, lined: SaleInfo
) -> None:
    before = settled()
    page = person.visit(f"/sales/{straight.slug}/")
    page = person.send(page, "/buy/", item=lined.items[0].id)
    assert (page.status, page.heading) == (404, "This is not in the sale")
    assert count() == before


@pytest.mark.parametrize("path", ["ticket", "admission", "purchases"])
@pytest.mark.parametrize("body", ["{", "quantity=1", '{"item": 1,}', "\x00"])
def test_broken_json_is_a_bad_request(
    client: Client, lined: SaleInfo, path: str, body: str
) -> None:
    before = settled()
    answer = client.http.post(
        f"sales/{lined.slug}/{path}/",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert problem(answer) == (400, "parse_error")
    assert count() == before


@pytest.mark.parametrize("body", [[], "word", 7, None])
def test_json_of_another_shape_is_a_bad_request(
    client: Client, straight: SaleInfo, body: object
) -> None:
    before = settled()
    assert problem(buy(client, straight.slug, body)) == (400, "invalid")
    assert count() == before


def spoil(value: str) -> str:
    """The same value with one letter of its signature changed."""
    return value[:-3] + ("A" if value[-3] != "A" else "B") + value[-2:]


def forged_tickets(
    lined: SaleInfo, straight: SaleInfo, shopper: User, stranger: User
) -> dict[str, str]:
    first = Ticket(number=1)
    own = tickets.sign_ticket(first, sale_id=lined.id, shopper=shopper.shopper_id)
    return {
        "made up": f"{lined.id}:{shopper.shopper_id}:1:{uuid4().hex}",
        "spoiled": spoil(own),
        "a better number": own.replace(":1:", ":0:"),
        "another shopper's": tickets.sign_ticket(
            first, sale_id=lined.id, shopper=stranger.shopper_id
        ),
        "another sale's": tickets.sign_ticket(
            first, sale_id=straight.id, shopper=shopper.shopper_id
        ),
        "an admission": tickets.sign_admission(
            sale_id=lined.id,
            shopper=shopper.shopper_id,
            expires_at=timezone.now() + timedelta(minutes=5),
        ),
    }


def forged_admissions(
    lined: SaleInfo, straight: SaleInfo, shopper: User, stranger: User
) -> dict[str, str]:
    soon = timezone.now() + timedelta(minutes=5)
    own = tickets.sign_admission(sale_id=lined.id, shopper=shopper.shopper_id, expires_at=soon)
    return {
        "nothing": "",
        "made up": f"{lined.id}:{shopper.shopper_id}:{int(soon.timestamp())}:{uuid4().hex}",
        "spoiled": spoil(own),
        "another shopper's": tickets.sign_admission(
            sale_id=lined.id, shopper=stranger.shopper_id, expires_at=soon
        ),
        "another sale's": tickets.sign_admission(
            sale_id=straight.id, shopper=shopper.shopper_id, expires_at=soon
        ),
        "over": tickets.sign_admission(
            sale_id=lined.id,
            shopper=shopper.shopper_id,
            expires_at=timezone.now() - timedelta(seconds=2),
        ),
        "a ticket": tickets.sign_ticket(
            Ticket(number=1), sale_id=lined.id, shopper=shopper.shopper_id
        ),
    }


def test_a_ticket_that_is_not_the_shoppers_own_lets_nobody_in(
    client: Client, lined: SaleInfo, straight: SaleInfo, shopper: User, stranger: User
) -> None:
    before = settled()
    for kind, ticket in forged_tickets(lined, straight, shopper, stranger).items():
        assert problem(client.enter(lined.slug, ticket)) == (403, "ticket_not_valid"), kind
    assert store.client().zcard(key(lined.id, "active")) == 0
    assert count() == before


def test_an_admission_that_is_not_the_shoppers_own_buys_nothing(
    client: Client, lined: SaleInfo, straight: SaleInfo, shopper: User, stranger: User
) -> None:
    before = settled()
    item = lined.items[0].id
    for kind, admission in forged_admissions(lined, straight, shopper, stranger).items():
        answer = client.buy(lined.slug, item, admission=admission)
        assert problem(answer) == (403, "admission_not_valid"), kind
    assert count() == before


def test_a_forged_cookie_opens_no_page(
    person: Person, lined: SaleInfo, straight: SaleInfo, shopper: User, stranger: User
) -> None:
    """The pages keep ticket and admission in cookies: whoever edits them stands outside, and is told."""
    before = settled()
    kept = person.visit(f"/sales/{straight.slug}/")
    kept.form("/buy/").action = f"/sales/{lined.slug}/buy/"
    for kind, admission in forged_admissions(lined, straight, shopper, stranger).items():
        person.http.cookies.set(f"admission-{lined.id}", admission, domain="127.0.0.1", path="/")
        page = person.send(kept, f"/sales/{lined.slug}/buy/", item=lined.items[0].id)
        assert page.path == f"/sales/{lined.slug}/line/", kind
        assert "Your time inside is over, or it is not your turn yet." in page.text, kind
    for kind, ticket in forged_tickets(lined, straight, shopper, stranger).items():
        person.http.cookies.set(f"ticket-{lined.id}", ticket, domain="127.0.0.1", path="/")
        kept.form("/buy/").action = f"/sales/{lined.slug}/line/enter/"
        page = person.send(kept, "/line/enter/")
        assert page.path == f"/sales/{lined.slug}/line/", kind
        assert "Join the line first" in page.text, kind
        kept.form("/line/enter/").action = f"/sales/{lined.slug}/buy/"
    assert store.client().zcard(key(lined.id, "active")) == 0
    assert count() == before


def test_another_shoppers_purchase_does_not_exist_for_anybody_else(
    stack: Stack, client: Client, person: Person, stranger: User
) -> None:
    sale = make_sale(units=1)
    with Client(stack.url, email=stranger.email) as owner:
        theirs = owner.buy(sale.slug, sale.items[0].id).json()["id"]
        owner.until_state(theirs, "held")
        before = settled()
        assert problem(client.http.get(f"purchases/{theirs}/")) == (404, "not_found")
        assert problem(client.http.delete(f"purchases/{theirs}/")) == (404, "not_found")
        assert problem(client.order(theirs)) == (404, "not_found")
        for path in ("", "checkout/", "release/"):
            assert person.visit(f"/purchases/{theirs}/{path}").status == 404
        assert count() == before
        assert owner.purchase(theirs)["state"] == "held"


def test_a_form_from_elsewhere_without_the_csrf_field_is_refused(
    person: Person, straight: SaleInfo
) -> None:
    before = settled()
    page = person.visit(f"/sales/{straight.slug}/")
    page = person.send(page, "/buy/", csrfmiddlewaretoken="x" * 64)
    assert page.status == 403
    assert count() == before


def test_the_same_calls_done_right_do_change_the_counters(
    client: Client, straight: SaleInfo
) -> None:
    """The control: what all tests above compare would have shown a purchase."""
    before = settled()
    bought = buy(client, straight.slug, {"item": straight.items[0].id, "quantity": 1})
    assert bought.status_code == 202
    client.until_state(bought.json()["id"], "held")
    after = count()
    assert after.purchases == before.purchases + 1
    assert after.reservations == before.reservations + 1
    assert after.stock != before.stock
    assert after.gate != before.gate
