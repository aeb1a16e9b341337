"""A provider that does not answer keeps few shoppers waiting, and one that speaks of another amount is not paid by."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.mail import EmailMessage
from django.db.models import F
from pytest_django import Settings

from shop import gateways, payments, provider_calls
from shop.gateways import Authorised, Money, Status, View, breaker
from shop.models import DemoAuthorisation, Order, PaymentIntent
from tests.shop.ordering import AWAY, FAKE, FakeGateway, books, demo, make_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    gateway = FakeGateway()
    monkeypatch.setitem(gateways.GATEWAYS, "fake", gateway)
    settings.PAYMENT_GATEWAYS = ["demo", "fake"]
    return gateway


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds by which providers' slowness is measured; only a test moves them."""
    seconds = [1000.0]
    monkeypatch.setattr("shop.breakers.monotonic", lambda: seconds[0])
    monkeypatch.setattr(provider_calls, "monotonic", lambda: seconds[0])
    return seconds


def start(order: Order | None = None, method: dict[str, str] = FAKE) -> PaymentIntent:
    order = order or make_order()
    payments.start(order=order, method=method)
    return order.payment_intents.get()


def let_pass() -> None:
    PaymentIntent.objects.update(updated_at=F("updated_at") - timedelta(minutes=2))


# A provider that does not answer


def test_after_some_calls_without_an_answer_requests_do_not_ask_and_say_so(
    fake: FakeGateway, clock: list[float]
) -> None:
    fake.says["authorise"] = AWAY
    for _ in range(breaker.UNANSWERED):
        assert start().state == "created"
    refused = start()
    assert (refused.state, refused.decline_reason) == ("declined", payments.NOT_ASKED)
    assert fake.calls == ["authorise"] * breaker.UNANSWERED
    assert books(refused.order)["units"] == ["held"]
    # Another provider is asked, and this one again after a rest.
    assert start(method=demo()).state == "captured"
    clock[0] += breaker.REST_SECONDS
    fake.says.clear()
    assert start().state == "captured"
    assert start().state == "captured"


def test_after_a_rest_one_request_at_a_time_tries(fake: FakeGateway, clock: list[float]) -> None:
    circuit = breaker.of("fake")
    for _ in range(breaker.UNANSWERED):
        circuit.failed()
    clock[0] += breaker.REST_SECONDS
    assert [circuit.may_try() for _ in range(3)] == [True, False, False]
    circuit.worked()
    assert [circuit.may_try() for _ in range(3)] == [True] * 3


def test_beat_asks_while_requests_do_not(fake: FakeGateway, clock: list[float]) -> None:
    fake.says["authorise"] = AWAY
    waiting = start()
    fake.views[str(waiting.pk)] = View.AUTHORISED
    for _ in range(breaker.UNANSWERED):
        breaker.of("fake").failed()
    fake.says.clear()
    payments.come_back(waiting)
    assert fake.calls == ["authorise"]
    let_pass()
    payments.settle_due()
    assert fake.calls == ["authorise", "status", "capture"]
    assert books(waiting.order)["order"] == "paid"


@pytest.mark.parametrize("answer", [gateways.GatewayRefused("no"), gateways.Declined("no"), None])
def test_control_a_provider_that_answers_is_asked_every_time(
    fake: FakeGateway, clock: list[float], answer: object
) -> None:
    fake.says["authorise"] = answer
    for _ in range(breaker.UNANSWERED + 2):
        start()
    assert fake.calls.count("authorise") == breaker.UNANSWERED + 2


def test_a_request_begins_no_further_call_when_its_time_is_over(
    fake: FakeGateway, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def authorise(intent: PaymentIntent) -> Authorised:
        clock[0] += provider_calls.REQUEST_SECONDS + 1
        return Authorised("fake-slow")

    monkeypatch.setattr(fake, "authorise", authorise)
    slow = start()
    assert (slow.state, slow.tries, fake.calls) == ("confirmed", 0, [])
    let_pass()
    payments.settle_due()
    assert books(slow.order)["order"] == "paid"


# Another amount

OTHERS = [Money(Decimal("99.99"), "EUR"), Money(Decimal("100.00"), "USD")]


def alerts_in(mails: list[EmailMessage]) -> list[str]:
    return [str(mail.subject) for mail in mails if mail.to == ["staff@example.com"]]


@pytest.fixture
def staff_are_told(settings: Settings) -> None:
    settings.ALERT_EMAILS = ["staff@example.com"]


@pytest.mark.usefixtures("staff_are_told")
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("call", ["authorise", "capture"])
def test_another_amount_pays_for_nothing_and_staff_are_told_once(
    fake: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    mailoutbox: list[EmailMessage],
    call: str,
    other: Money,
) -> None:
    said = {"authorise": Authorised("fake-x", other), "capture": other}[call]
    monkeypatch.setattr(fake, call, lambda intent: said)
    status = Status(View.CAPTURED, "fake-x", money=other)
    monkeypatch.setattr(fake, "status", lambda intent: status)
    intent = start()
    for _ in range(2):
        let_pass()
        payments.settle_due()
    intent.refresh_from_db()
    assert intent.state == {"authorise": "created", "capture": "confirmed"}[call]
    assert intent.last_error == (f"It says {other.amount} {other.currency} instead of 100.00 EUR.")
    assert (books(intent.order)["order"], intent.tries) == ("pending", 3)
    (subject,) = alerts_in(mailoutbox)
    assert subject.endswith(f"a payment of order {intent.order.reference} has another amount")


@pytest.mark.usefixtures("staff_are_told")
def test_control_our_own_amount_pays(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[EmailMessage]
) -> None:
    ours = Money(Decimal("100"), "EUR")
    monkeypatch.setattr(fake, "authorise", lambda intent: Authorised("fake-x", ours))
    monkeypatch.setattr(fake, "capture", lambda intent: ours)
    assert (start().state, alerts_in(mailoutbox)) == ("captured", [])


def test_another_amount_in_the_providers_book_is_found_when_it_is_looked_up() -> None:
    intent = start(method=demo("silent"))
    DemoAuthorisation.objects.update(amount=1)
    let_pass()
    payments.settle_due()
    intent.refresh_from_db()
    assert (intent.state, intent.last_error) == (
        "created",
        "It says 1.00 EUR instead of 100.00 EUR.",
    )
