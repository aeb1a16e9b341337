"""A process is killed, or PostgreSQL hangs up on it, between two lines of the code about money.

Beat finishes or undoes what it left. The suite tries some of the lines, `make soak` every
one. Failures 12, 13, 14 and 22, for money.
"""

import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.db.utils import InterfaceError, OperationalError
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from inventory import audit, reservations
from inventory.models import Reservation
from shop import orders, payment_events, payments
from shop.gateways import demo
from shop.models import DemoAuthorisation, DemoDelivery, Order, PaymentEvent, PaymentIntent
from tests.factories import make_variant
from tests.faults.children import child
from tests.faults.paying import do
from tests.proof.lines import at_line
from tests.shop.ordering import books, make_order
from tests.shop.ordering import demo as card

pytestmark = pytest.mark.django_db(transaction=True)

#: Lines between two deaths: a prime, so that the same loop is not always met at the same place.
STEP = 29
PAID = {"order": "paid", "payments": ["captured"], "units": ["confirmed"], "bank": ["captured"]}
RETURNED = {
    "order": "expired",
    "payments": ["cancelled"],
    "units": ["expired"],
    "bank": ["cancelled"],
}

#: Makes an order to work on, and what the work is told about it.
Prepare = Callable[[], tuple[Order, str]]
#: Does a work on a row and dies at a line, of how many lines there are (0: at none); says where.
Death = Callable[[str, str, int], str]


@pytest.fixture(scope="module")
def killed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Death]:
    """A process that is killed with SIGKILL."""
    with child("tests.faults.paying", django_db_blocker) as (said, heard):

        def kill(work: str, row: str, line: int) -> str:
            said.write(f"{work}\t{row}\t{line}\n")
            where = heard.readline().strip()
            assert int(heard.readline()) == (signal.SIGKILL if line else 0)
            return where

        yield kill


@pytest.fixture
def hung_up() -> Death:
    """PostgreSQL ends the connection, as it does when it is restarted; the process lives on."""

    def hang_up(work: str, row: str, line: int) -> str:
        def terminate(_: str) -> None:
            backend = connection.connection.info.backend_pid
            other = connections.create_connection("default")
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
            other.close()

        connection.ensure_connection()
        with at_line(line, terminate) as lines:
            try:
                do(work, row)
            except (OperationalError, InterfaceError):
                pass
            finally:
                connection.close()
        return lines.where or str(lines.count)

    return hang_up


@pytest.fixture(params=["killed", "hung_up"])
def death(request: pytest.FixtureRequest) -> Death:
    found: Death = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def the_shop_and_the_stockroom_agree(settings: Settings) -> Iterator[None]:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    yield
    assert {r.check.name: r.breaches for r in audit.run(scope={}) if r.breaches} == {}


def beat() -> None:
    """What beat does in two minutes."""
    for _ in range(2):
        ago = timedelta(minutes=1)
        PaymentIntent.objects.update(
            updated_at=F("updated_at") - ago, created_at=F("created_at") - ago
        )
        PaymentEvent.objects.update(received_at=F("received_at") - ago, due_at=F("due_at") - ago)
        payment_events.process_due()
        payments.settle_due()
        orders.expire_due()


def to_be_paid() -> tuple[Order, str]:
    order = make_order()
    return order, str(order.pk)


def bank_says_yes(order: Order) -> str:
    """The order's bank has said yes, and its event is stored; its reference."""
    payments.start(order=order, method=card("late"))
    intent = PaymentIntent.objects.get(order=order)
    DemoDelivery.objects.all().delete()
    DemoAuthorisation.objects.filter(reference=intent.reference).update(state="authorised")
    PaymentEvent.objects.create(
        gateway="demo",
        event_id=f"evt_{intent.pk.hex}",
        kind="authorised",
        reference=intent.reference,
        payload={"intent": str(intent.pk), "event": {}},
        due_at=timezone.now(),
    )
    return demo.reference_of(intent)


def with_an_event() -> tuple[Order, str]:
    order = make_order()
    return order, bank_says_yes(order)


def with_an_event_that_is_late() -> tuple[Order, str]:
    lamp = make_variant(units=1)
    order = make_order(lamp)
    reference = bank_says_yes(order)
    Reservation.objects.filter(line_item__order=order).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    reservations.expire()
    other = make_order(lamp)
    payments.start(order=other, method=card())
    return order, reference


def deaths(lines: int, *, every: bool) -> range:
    return range(1, lines + 1, 1 if every else STEP)


def check_every_death(
    work: str, prepare: Prepare, end: dict[str, Any], death: Death, *, every: bool
) -> None:
    _, row = prepare()
    lines = int(death(work, row, 0))
    assert lines > 40
    beat()
    unfinished = 0
    for line in deaths(lines, every=every):
        order, row = prepare()
        where = death(work, row, line)
        unfinished += books(order) != end
        was_asked = books(order)["bank"] not in ([], ["unknown"])
        beat()
        if not was_asked:
            # No bank was asked: the units are kept, and the shopper pays when they like.
            assert books(order)["units"] == ["held"], where
            payments.start(order=order, method=card())
            settled = books(order)
            assert (settled["order"], settled["units"]) == ("paid", ["confirmed"]), where
            assert settled["bank"].count("captured") == 1, where
        else:
            assert books(order) == end, where
        kinds = list(order.events.values_list("kind", flat=True))
        for once in ("placed", "paid", "expired", "payment_late", "payment_returned"):
            assert kinds.count(once) <= 1, (where, kinds)
    # The control: without beat most of them would stay as they were left.
    assert unfinished > len(deaths(lines, every=every)) / 2


WORKS = [
    ("pay", to_be_paid, PAID),
    ("event", with_an_event, PAID),
    ("event", with_an_event_that_is_late, RETURNED),
]
IDS = ["paying", "an event", "a late event"]


@pytest.mark.parametrize(("work", "prepare", "end"), WORKS, ids=IDS)
def test_a_death_between_two_lines_is_put_right_by_beat(
    work: str, prepare: Prepare, end: dict[str, Any], death: Death
) -> None:
    check_every_death(work, prepare, end, death, every=False)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("work", "prepare", "end"), WORKS, ids=IDS)
def test_a_death_at_every_line_is_put_right_by_beat(
    work: str, prepare: Prepare, end: dict[str, Any], death: Death
) -> None:
    check_every_death(work, prepare, end, death, every=True)
