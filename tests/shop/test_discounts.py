"""Discount codes: what they take off, why they are refused, and how their uses are counted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django import Settings

from inventory import audit
from inventory.models import Reservation
from shop import checkout, discounts, gateways, mails, orders, payments
from shop.checkout import CodeRefused, OrderLine, Placed, Wishes
from shop.discounts import Applied, Buyer
from shop.gateways import Pending, View
from shop.models import DiscountCode, DiscountUse, Order, PaymentIntent, User
from tests.factories import make_user, make_variant
from tests.shop.ordering import ADDRESS, FAKE, FakeGateway, demo, line
from tests.shop.selling import make_code

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def judge(
    *lines: OrderLine, code: str = "HELLO", buyer: Buyer | None = None
) -> Applied | CodeRefused:
    return discounts.judge(code=code, lines=lines, buyer=buyer or Buyer(), now=NOW)


def shares(outcome: Applied | CodeRefused) -> list[Decimal]:
    assert isinstance(outcome, Applied)
    return list(outcome.shares)


def reason(outcome: Any) -> str:
    assert isinstance(outcome, CodeRefused)
    return outcome.reason


def place(
    *, email: str = "ada@example.com", user: User | None = None, code: str = "HELLO"
) -> Placed | checkout.Refusal:
    return checkout.place_order(
        key=uuid4(),
        user=user,
        email=email,
        address=ADDRESS,
        lines=[line(make_variant(units=1))],
        wishes=Wishes(discount_code=code),
    )


def placed(**more: Any) -> Order:
    outcome = place(**more)
    assert isinstance(outcome, Placed)
    return outcome.order


def uses() -> int:
    return DiscountCode.objects.get().uses


def end_holds(order: Order) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Reservation.objects.filter(line_item__order=order).update(expires_at=past)


def test_a_percentage_is_rounded_at_each_line() -> None:
    make_code(value="15")
    cheap, dear = make_variant(price=Decimal("0.33")), make_variant(price=Decimal("99.99"))
    assert shares(judge(line(cheap, 3), line(dear))) == [Decimal("0.15"), Decimal("15.00")]


def test_an_amount_is_spread_and_takes_no_more_than_there_is() -> None:
    make_code(kind="amount", value="10")
    lines = [line(make_variant(price=Decimal("20.00"))) for _ in range(3)]
    assert shares(judge(*lines)) == [Decimal("3.33"), Decimal("3.33"), Decimal("3.34")]
    assert shares(judge(line(make_variant(price=Decimal("4.00"))))) == [Decimal("4.00")]


def test_free_delivery_takes_nothing_off_the_goods() -> None:
    make_code(kind="shipping", value="0")
    outcome = judge(line(make_variant()))
    assert isinstance(outcome, Applied)
    assert (list(outcome.shares), outcome.frees_delivery) == ([Decimal(0)], True)


def test_a_code_is_found_in_any_case_and_with_blanks_around_it() -> None:
    make_code("Hello-10")
    assert isinstance(judge(line(make_variant()), code="  hELLO-10 "), Applied)


@pytest.mark.parametrize("code", ["NOPE", "HEL LO", "HELLO\x00", "'; --", "H" * 500, "ÄÖÜ"])
def test_what_is_no_code_is_not_known(code: str) -> None:
    make_code()
    assert reason(judge(line(make_variant()), code=code)) == discounts.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"is_active": False}, "not valid any more"),
        ({"starts_at": NOW + timedelta(hours=1)}, "counts from"),
        ({"ends_at": NOW}, "was valid until"),
        ({"max_uses": 0}, "as often as it may be"),
        ({"min_subtotal": Decimal("130.00")}, "goods of at least €130.00: €30.00 are missing"),
    ],
)
def test_a_refusal_says_exactly_why(fields: dict[str, Any], told: str) -> None:
    make_code(**fields)
    assert told in reason(judge(line(make_variant())))


def test_a_code_counts_from_its_first_moment_on() -> None:
    make_code(starts_at=NOW, ends_at=NOW + timedelta(seconds=1), min_subtotal=Decimal("100.00"))
    assert isinstance(judge(line(make_variant())), Applied)


def test_sales_and_reduced_goods_are_left_out_unless_the_merchant_says_so() -> None:
    code = make_code(value="10")
    full = line(make_variant(price=Decimal("50.00")))
    reduced = line(make_variant(price=Decimal("40.00"), compare_at_price=Decimal("60.00")))
    for_less = replace(full, unit_price=Decimal("30.00"))
    on_sale = replace(full, reservation=Reservation(), has_own_price=True)
    held = replace(full, reservation=Reservation())
    assert shares(judge(full, reduced, for_less, on_sale, held)) == [5, 0, 0, 0, 5]
    assert "does not count for sales" in reason(judge(reduced))
    code.includes_sale_items = True
    code.save()
    assert shares(judge(full, reduced, for_less, on_sale, held)) == [5, 4, 3, 5, 5]


def test_a_limit_per_customer_counts_the_address_in_any_case_and_the_account() -> None:
    make_code(max_uses_per_customer=1)
    user = make_user()
    placed(email="Ada@Example.com")
    placed(email=user.email, user=user)
    assert reason(place(email="aDA@example.COM")) == discounts.USED_BY_YOU
    assert reason(place(email="other@example.com", user=user)) == discounts.USED_BY_YOU
    assert reason(place(email=user.email)) == discounts.USED_BY_YOU
    placed(email="new@example.com")
    assert (uses(), Order.objects.count()) == (3, 3)


def test_a_use_comes_back_once_when_the_order_expires() -> None:
    make_code(max_uses=1)
    order = placed()
    assert reason(place()) == discounts.USED_UP
    end_holds(order)
    assert (orders.expire_due(), uses()) == (1, 0)
    discounts.give_back(order=order)
    assert uses() == 0
    placed()


@pytest.mark.django_db(transaction=True)
def test_a_use_comes_back_when_an_unpaid_order_is_cancelled_and_not_after_it_was_paid() -> None:
    make_code()
    unpaid, paid = placed(), placed()
    assert orders.cancel(order=unpaid, actor="", reason="test")
    payments.start(order=paid, method=demo())
    paid.refresh_from_db()
    assert paid.state == Order.State.PAID
    assert orders.cancel(order=paid, actor="", reason="test")
    assert uses() == 1
    assert [use.is_given_back for use in DiscountUse.objects.order_by("id")] == [True, False]
    assert not [result for result in audit.run(scope={}) if result.breaches]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> FakeGateway:
    gateway = FakeGateway(says={"authorise": Pending("fake-late")})
    monkeypatch.setitem(gateways.GATEWAYS, "fake", gateway)
    settings.PAYMENT_GATEWAYS = ["demo", "fake"]
    return gateway


def authorised_after(order: Order, fake: FakeGateway, meanwhile: Callable[[], object]) -> None:
    """The order expires while the bank thinks; something happens; then the bank says yes."""
    payments.start(order=order, method=FAKE)
    intent = order.payment_intents.get()
    end_holds(order)
    assert orders.expire_due() == 1
    meanwhile()
    fake.views[str(intent.pk)] = View.AUTHORISED
    payments.record_authorised(intent.pk, reference="fake-late")
    payments.drive(intent.pk)
    order.refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_an_order_that_comes_back_with_a_late_payment_has_its_use_again(fake: FakeGateway) -> None:
    make_code(max_uses=1)
    order = placed()
    authorised_after(order, fake, uses)
    assert (order.state, uses()) == (Order.State.PAID, 1)
    assert not DiscountUse.objects.get().is_given_back


@pytest.mark.django_db(transaction=True)
def test_a_late_payment_whose_code_went_to_somebody_else_goes_back(fake: FakeGateway) -> None:
    make_code(max_uses=1)
    order = placed()
    authorised_after(order, fake, partial(placed, email="quicker@example.com"))
    assert (order.state, uses()) == (Order.State.EXPIRED, 1)
    assert order.payment_intents.get().state == PaymentIntent.State.CANCELLED
    assert fake.calls == ["authorise", "cancel"]
    reservation = Reservation.objects.get(line_item__order=order)
    assert reservation.state == Reservation.State.RELEASED
    assert not [result for result in audit.run(scope={}) if result.breaches]


@pytest.mark.django_db(transaction=True)
def test_an_order_that_comes_back_late_has_no_code_that_its_customer_has_used_since(
    fake: FakeGateway,
) -> None:
    make_code(max_uses_per_customer=1)
    order = placed()
    authorised_after(order, fake, partial(placed, email="ADA@example.com"))
    assert (order.state, uses()) == (Order.State.EXPIRED, 1)
    assert order.payment_intents.get().decline_reason == discounts.CODE_GONE
    [returned] = order.mails.filter(template="late_payment_returned")
    body = str(mails.render(returned).body)
    assert "the discount code of the order was used up by then" in body
    assert "no unit was free" not in body
    assert not [result for result in audit.run(scope={}) if result.breaches]


@pytest.mark.django_db(transaction=True)
def test_control_with_two_uses_for_each_customer_it_comes_back(fake: FakeGateway) -> None:
    make_code(max_uses_per_customer=2)
    order = placed()
    authorised_after(order, fake, partial(placed, email="ADA@example.com"))
    assert (order.state, uses()) == (Order.State.PAID, 2)


def test_control_the_audit_names_a_code_that_was_counted_wrongly() -> None:
    make_code()
    placed()
    DiscountCode.objects.update(uses=2)
    [wrong] = [result for result in audit.run(scope={}) if result.breaches]
    assert wrong.check.name == "discount_codes_count_their_orders"
    assert wrong.breaches == ["code HELLO: 2 uses, 1 orders"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "percent", "value": Decimal(0)}, "value"),
        ({"kind": "shipping", "value": Decimal(5)}, "value"),
        ({"starts_at": NOW, "ends_at": NOW}, "ends_at"),
        ({"max_uses": 2, "uses": 3}, "max_uses"),
        ({"code": "NOT THIS"}, "code"),
    ],
)
def test_a_code_that_makes_no_sense_is_refused_at_its_field(
    fields: dict[str, Any], field: str
) -> None:
    code = DiscountCode(**{"code": "NEW", "value": Decimal(5)} | fields)
    with pytest.raises(ValidationError) as refused:
        code.full_clean()
    assert set(refused.value.message_dict) == {field}
