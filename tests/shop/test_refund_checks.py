"""What was given back is compared with the provider's book, and staff see a difference; of every gateway."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone
from pytest_django import Settings

from inventory import audit
from shop import payment_events, payments, refund_checks, refund_settling, refunds
from shop.gateways import EventKind
from shop.models import Order, PaymentEvent, PaymentIntent, Refund
from tests.shop.ordering import make_order, staff
from tests.shop.providers import Provider

pytestmark = pytest.mark.django_db(transaction=True)
STAFF = "staff@example.com"


@pytest.fixture(autouse=True)
def staff_are_told(settings: Settings) -> None:
    settings.AUDIT_CHECKS = ["inventory.audit.checks", "shop.audit.checks"]
    settings.ALERT_EMAILS = [STAFF]


@pytest.fixture
def order(bank: Provider) -> Order:
    """Three units at 100.00, paid."""
    order = make_order(quantity=3)
    payments.start(order=order, method=bank.method("approve"))
    order.refresh_from_db()
    assert order.state == "paid"
    return order


def refund(order: Order, amount: int) -> Refund:
    outcome = refunds.refund_part(
        order=order, units={}, extra=Decimal(amount), actor=STAFF, reason="it broke"
    )
    assert isinstance(outcome, refunds.Started)
    return outcome.refund


def given_back(order: Order) -> Decimal | None:
    return PaymentIntent.objects.get(order=order).given_back


def breaches() -> list[str]:
    """The names of what does not agree."""
    return [result.check.name for result in audit.run(scope={}) if result.breaches]


def told(order: Order) -> list[str]:
    return list(order.events.filter(kind="refunds_differ").values_list("message", flat=True))


def alerts_in(mails: list[EmailMessage]) -> list[str]:
    return [str(mail.subject) for mail in mails if "differ" in mail.subject]


def test_after_a_refund_the_provider_is_asked_and_the_books_agree(
    order: Order, mailoutbox: list[EmailMessage]
) -> None:
    refund_settling.settle(refund(order, 30).pk)
    assert (refund_checks.check_due(), given_back(order)) == (1, Decimal(30))
    assert (refund_checks.check_due(), breaches()) == (0, [])
    assert (told(order), alerts_in(mailoutbox)) == ([], [])


def test_a_refund_that_was_made_at_the_provider_is_shown_to_staff_once(
    bank: Provider, order: Order, mailoutbox: list[EmailMessage]
) -> None:
    intent = PaymentIntent.objects.get()
    bank.give_back(intent, Decimal("40.50"))
    assert breaches() == []  # The control: nobody has asked yet.
    for number in range(2):
        event = PaymentEvent.objects.create(
            gateway=bank.name,
            event_id=f"evt_{number}",
            kind=EventKind.REFUNDED,
            reference=intent.reference,
            payload={"intent": str(intent.pk), "refund": "", "event": {}},
        )
        payment_events.process(event.pk)
        assert refund_checks.check_due() == 1
    (said,) = told(order)
    assert said == (f"{bank.name} says that it gave back €40.50 of a payment; our books say €0.00.")
    assert order.events.get(kind="refunds_differ").is_internal
    assert breaches() == ["refunds_agree_with_the_provider"]
    (subject,) = alerts_in(mailoutbox)
    assert order.reference in subject


def test_a_refund_that_the_provider_does_not_have_is_shown_to_staff(order: Order) -> None:
    Refund.objects.filter(pk=refund(order, 30).pk).update(
        state="done", done_at=timezone.now(), credit_number=1
    )
    refund_checks.ask_soon(PaymentIntent.objects.get())
    assert refund_checks.check_due() == 1
    assert [said.partition("gave back ")[2] for said in told(order)] == [
        "€0.00 of a payment; our books say €30.00."
    ]
    assert breaches() == ["refunds_agree_with_the_provider"]


def test_while_a_refund_is_under_way_nobody_is_asked(order: Order) -> None:
    refund_settling.settle(refund(order, 30).pk)
    refund(order, 20)
    assert (refund_checks.check_due(), given_back(order)) == (0, None)


def test_a_refund_that_ends_meanwhile_is_asked_about_anew(
    bank: Provider, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund_settling.settle(refund(order, 30).pk)
    status = type(bank.gateway).status

    def slow(gateway: object, intent: PaymentIntent) -> object:
        said = status(bank.gateway, intent)
        monkeypatch.setattr(type(bank.gateway), "status", status)
        refund_settling.settle(refund(order, 20).pk)
        return said

    monkeypatch.setattr(type(bank.gateway), "status", slow)
    refund_checks.check_due()
    assert (given_back(order), told(order)) == (None, [])
    refund_checks.check_due()
    assert (given_back(order), told(order), breaches()) == (Decimal(50), [], [])


def test_a_provider_that_does_not_answer_is_asked_later(
    bank: Provider, order: Order, settings: Settings
) -> None:
    refund_settling.settle(refund(order, 30).pk)
    gateways, settings.PAYMENT_GATEWAYS = settings.PAYMENT_GATEWAYS, []
    assert (refund_checks.check_due(), refund_checks.check_due()) == (0, 0)
    settings.PAYMENT_GATEWAYS = gateways
    assert refund_checks.check_due() == 0
    PaymentIntent.objects.update(ask_refunds_at=timezone.now() - timedelta(seconds=1))
    assert (refund_checks.check_due(), given_back(order)) == (1, Decimal(30))


def test_the_admin_finds_payments_and_orders_that_differ(
    bank: Provider, order: Order, settings: Settings
) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client = staff("view_order", "view_paymentintent")
    addresses = (
        "/admin/shop/paymentintent/?trouble=refunds",
        "/admin/shop/order/?waits=differs",
    )
    assert [order.reference in client.get(address).text for address in addresses] == [False] * 2
    bank.give_back(PaymentIntent.objects.get(), Decimal(7))
    refund_checks.ask_soon(PaymentIntent.objects.get())
    refund_checks.check_due()
    assert [order.reference in client.get(address).text for address in addresses] == [True] * 2
