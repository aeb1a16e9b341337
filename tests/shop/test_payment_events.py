"""Events come twice, late, out of order, early, and about payments that nobody knows."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from inventory import reservations
from inventory.models import Reservation
from shop import orders, payment_events, payments, tasks
from shop.gateways import GatewayUnavailable, demo
from shop.gateways.demo import SIGNATURE_HEADER
from shop.models import DemoAuthorisation, DemoDelivery, Order, PaymentEvent, PaymentIntent
from shop.views.payments import LARGEST_EVENT
from tests.shop.ordering import books, make_order
from tests.shop.ordering import demo as card

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/payments/events/demo/"


def event(intent: PaymentIntent, kind: str, *, event_id: str = "") -> dict[str, str]:
    return {
        "id": event_id or f"evt_{uuid4().hex}",
        "type": f"payment.{kind}",
        "intent": str(intent.pk),
        "reference": demo.reference_of(intent),
    }


def post(payload: object, *, signature: str | None = None) -> int:
    body = json.dumps(payload).encode()
    headers = {SIGNATURE_HEADER: demo.sign(body) if signature is None else signature}
    answer = Client(enforce_csrf_checks=True).post(
        URL, body, content_type="application/json", headers=headers
    )
    return answer.status_code


def process_all() -> None:
    for pk in PaymentEvent.objects.order_by("received_at").values_list("pk", flat=True):
        payment_events.process(pk)


def waiting_order() -> tuple[Order, PaymentIntent]:
    """An order whose bank has said yes, and whose event is on its way."""
    order = make_order()
    outcome = payments.start(order=order, method=card("late"))
    assert isinstance(outcome, payments.Started)
    DemoDelivery.objects.update(deliver_at=F("deliver_at") - timedelta(minutes=1))
    return order, outcome.intent


def kinds(order: Order) -> list[str]:
    return list(order.events.values_list("kind", flat=True))


def test_the_event_about_a_late_bank_pays_the_order() -> None:
    order, _ = waiting_order()
    assert tasks.deliver_demo_events() == 1
    stored = PaymentEvent.objects.get()
    assert (stored.kind, stored.processed_at) == ("authorised", None)
    process_all()
    stored.refresh_from_db()
    assert stored.outcome == "created to captured"
    assert books(order)["order"] == "paid"


def test_the_same_event_many_times_is_stored_and_done_once() -> None:
    order, intent = waiting_order()
    tasks.deliver_demo_events()
    PaymentEvent.objects.all().delete()
    payload = event(intent, "authorised")
    assert [post(payload) for _ in range(3)] == [200, 200, 200]
    process_all()
    process_all()
    assert (PaymentEvent.objects.count(), kinds(order)) == (1, ["placed", "paid"])


def test_the_same_event_at_once_is_stored_once() -> None:
    _, intent = waiting_order()
    payload, barrier = event(intent, "authorised"), Barrier(4)

    def send(_: int) -> int:
        barrier.wait()
        try:
            return post(payload)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(4))) == [200] * 4
    assert PaymentEvent.objects.count() == 1


def test_two_workers_with_one_event_have_one_effect() -> None:
    order, _ = waiting_order()
    tasks.deliver_demo_events()
    stored, barrier = PaymentEvent.objects.get(), Barrier(3)

    def work(_: int) -> None:
        barrier.wait()
        try:
            payment_events.process_event(stored.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert (books(order)["order"], kinds(order)) == ("paid", ["placed", "paid"])


@pytest.mark.parametrize(
    "order_of_events", list(permutations(["authorised", "captured", "refunded"]))
)
def test_events_in_any_order_after_the_fact_change_nothing(order_of_events: list[str]) -> None:
    order = make_order()
    payments.start(order=order, method=card())
    intent = PaymentIntent.objects.get()
    before = books(order)
    for kind in order_of_events:
        assert post(event(intent, kind)) == 200
    process_all()
    assert (books(order), kinds(order)) == (before, ["placed", "paid"])


def test_an_event_before_the_browsers_answer_finds_its_payment() -> None:
    """The provider's reference has not reached us; our own id has gone to it and back."""
    order, intent = waiting_order()
    PaymentIntent.objects.update(reference="")
    tasks.deliver_demo_events()
    process_all()
    assert books(order)["order"] == "paid"
    intent.refresh_from_db()
    assert intent.reference == demo.reference_of(intent)


def test_an_event_that_overtakes_the_one_before_it_makes_us_ask() -> None:
    order, intent = waiting_order()
    DemoAuthorisation.objects.update(state="authorised")
    post(event(intent, "captured"))
    process_all()
    assert books(order)["order"] == "paid"


def test_a_yes_days_late_for_a_payment_that_was_cancelled_changes_nothing() -> None:
    order, intent = waiting_order()
    PaymentIntent.objects.update(state="cancelled")
    DemoAuthorisation.objects.update(state="cancelled")
    post(event(intent, "authorised"))
    process_all()
    assert books(order)["payments"] == ["cancelled"]
    assert PaymentEvent.objects.get().outcome == "nothing to do"


def test_a_no_from_the_bank_leaves_the_order_waiting() -> None:
    order, intent = waiting_order()
    post(event(intent, "declined"))
    process_all()
    assert (books(order)["order"], books(order)["payments"]) == ("pending", ["declined"])


def time_passes() -> None:
    ago = timedelta(minutes=2)
    PaymentEvent.objects.update(received_at=F("received_at") - ago, due_at=F("due_at") - ago)


def test_an_event_about_an_unknown_payment_is_kept_and_seen() -> None:
    unknown = PaymentIntent(pk=uuid4())
    assert post(event(unknown, "authorised")) == 200
    for tries in range(1, payment_events.UNKNOWN_TRIES + 1):
        time_passes()
        assert payment_events.process_due() == 0
        stored = PaymentEvent.objects.get()
        assert (stored.processed_at, stored.tries) == (None, tries)
        assert stored.last_error == payment_events.UNKNOWN_PAYMENT
    time_passes()
    assert payment_events.process_due() == 1
    stored = PaymentEvent.objects.get()
    assert stored.outcome == payment_events.UNKNOWN_PAYMENT
    assert stored.processed_at is not None


def test_an_event_about_a_payment_that_is_known_a_little_later_has_its_effect() -> None:
    order, intent = waiting_order()
    DemoAuthorisation.objects.update(state="authorised")
    payload = event(intent, "authorised")
    post(payload | {"intent": str(uuid4()), "reference": "demo_later"})
    time_passes()
    assert payment_events.process_due() == 0
    PaymentEvent.objects.update(payload={"intent": str(intent.pk), "event": {}})
    time_passes()
    assert payment_events.process_due() == 1
    assert books(order)["order"] == "paid"


def test_an_event_that_comes_three_days_late_about_an_order_that_expired_gives_the_money_back() -> (
    None
):
    order, intent = waiting_order()
    lamp = order.line_items.get().variant
    past = timezone.now() - timedelta(days=3)
    Reservation.objects.update(expires_at=past)
    Order.objects.update(expires_at=past, placed_at=past)
    PaymentIntent.objects.update(created_at=past, updated_at=past)
    reservations.expire()
    orders.expire_due()
    make_order(lamp, quantity=3)
    DemoAuthorisation.objects.update(state="authorised")
    post(event(intent, "authorised"))
    process_all()
    payments.settle_due()
    assert books(order) == {
        "order": "expired",
        "payments": ["cancelled"],
        "units": ["expired"],
        "bank": ["cancelled"],
    }
    assert kinds(order).count("payment_returned") == 1


def test_one_event_that_nobody_foresaw_does_not_keep_the_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken, fine = waiting_order(), waiting_order()
    tasks.deliver_demo_events()
    time_passes()
    hear = payments.record_authorised

    def fail(intent_id: UUID, *, reference: str) -> None:
        if intent_id == broken[1].pk:
            raise KeyError("what nobody foresaw")
        hear(intent_id, reference=reference)

    monkeypatch.setattr(payments, "record_authorised", fail)
    assert payment_events.process_due() == 1
    assert (books(broken[0])["order"], books(fine[0])["order"]) == ("pending", "paid")
    failed = PaymentEvent.objects.get(processed_at=None)
    assert (failed.tries, failed.last_error) == (1, "KeyError: 'what nobody foresaw'")
    # Not again at once: it has its pause.
    assert payment_events.process_due() == 0


def test_an_event_that_is_too_long_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    _, intent = waiting_order()
    with caplog.at_level(logging.WARNING, logger="shop.views.payments"):
        assert post(event(intent, "authorised") | {"more": "x" * LARGEST_EVENT}) == 413
        assert post(event(intent, "authorised") | {"more": "x" * 3_000_000}) == 413
    assert "at most" in caplog.text
    assert PaymentEvent.objects.count() == 0


def test_an_event_of_another_kind_is_kept_and_ignored() -> None:
    _, intent = waiting_order()
    post(event(intent, "disputed"))
    process_all()
    assert (PaymentEvent.objects.get().kind, PaymentEvent.objects.get().outcome) == (
        "other",
        "ignored",
    )


@pytest.mark.parametrize("signature", ["", "forged"])
def test_a_forged_event_is_refused_and_logged(
    signature: str, caplog: pytest.LogCaptureFixture
) -> None:
    order, intent = waiting_order()
    with caplog.at_level(logging.WARNING, logger="shop.views.payments"):
        assert post(event(intent, "authorised"), signature=signature) == 400
    assert "Refused an event for demo" in caplog.text
    assert (PaymentEvent.objects.count(), books(order)["order"]) == (0, "pending")


def test_a_gateway_that_is_not_here_is_404_and_reading_is_not_allowed() -> None:
    assert Client().post("/payments/events/gold/").status_code == 404
    assert Client().get(URL).status_code == 405


def test_an_event_whose_task_got_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    order, _ = waiting_order()

    def away(*args: object) -> None:
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(payment_events.process_event, "delay", away)
    assert tasks.deliver_demo_events() == 1
    assert tasks.process_payment_events() == 0
    PaymentEvent.objects.update(received_at=F("received_at") - timedelta(minutes=1))
    assert tasks.process_payment_events() == 1
    assert books(order)["order"] == "paid"


def test_an_event_waits_while_its_provider_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    order, _ = waiting_order()
    tasks.deliver_demo_events()
    PaymentEvent.objects.update(received_at=F("received_at") - timedelta(minutes=1))

    def away(*args: object) -> None:
        raise GatewayUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(demo.DemoGateway, "capture", away)
        payment_events.process_event(PaymentEvent.objects.get().pk)
        assert payment_events.process_due() == 0
    waits = PaymentEvent.objects.get()
    assert (waits.processed_at, waits.tries) == (None, 1)
    assert waits.last_error == "GatewayUnavailable: no answer"
    time_passes()
    assert payment_events.process_due() == 1
    assert books(order)["order"] == "paid"


def test_a_person_may_have_an_event_processed_again() -> None:
    order, _ = waiting_order()
    tasks.deliver_demo_events()
    process_all()
    assert payment_events.retry(event=PaymentEvent.objects.get()) == "nothing to do"
    assert kinds(order) == ["placed", "paid"]
