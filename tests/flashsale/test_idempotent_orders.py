"""The order of a purchase over the API, sent again under its `Idempotency-Key`."""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from shop import payments
from shop.api import idempotency
from shop.api.orders import place_and_pay
from shop.models import IdempotentAnswer, Order, PaymentIntent, User
from tests.factories import make_sale, make_user
from tests.flashsale.test_strategies import buy, held
from tests.races.moment import at_once

# A provider is called outside of any transaction, so none is around these tests.
pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = {
    "recipient": "Ada Example",
    "street": "Harbour Road 1",
    "postcode": "24103",
    "city": "Kiel",
    "country": "DE",
}
BODY = {"shipping_address": ADDRESS, "payment_method": {"method": "demo", "card": "approve"}}


def hold(user: User) -> Purchase:
    return held(buy(make_sale(), user))


def order(purchase: Purchase, user: User, *, key: str = "once", body: dict[str, Any] = BODY) -> Any:
    token, _ = Token.objects.get_or_create(user=user)
    return Client().post(
        f"/api/v1/purchases/{purchase.pk}/order/",
        body,
        content_type="application/json",
        headers={"Authorization": f"Token {token.key}"} | ({"Idempotency-Key": key} if key else {}),
    )


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_same_request_gets_the_same_answer_again() -> None:
    user = make_user()
    purchase = hold(user)
    first = order(purchase, user)
    Order.objects.update(city="Changed since")
    again = order(purchase, user)
    assert (first.status_code, first.headers.get("Idempotent-Replayed")) == (201, None)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert PaymentIntent.objects.count() == 1


def test_control_without_a_key_the_answer_is_made_anew() -> None:
    user = make_user()
    purchase = hold(user)
    order(purchase, user, key="")
    Order.objects.update(city="Changed since")
    assert order(purchase, user, key="").json()["shipping_address"]["city"] == "Changed since"
    assert not IdempotentAnswer.objects.exists()


def test_a_key_that_stands_for_something_else_is_refused_and_nothing_is_paid_twice() -> None:
    user = make_user()
    purchase = hold(user)
    order(purchase, user)
    other = BODY | {"payment_method": {"method": "demo", "card": "late"}}
    assert code(order(purchase, user, body=other)) == (422, "idempotency_key_reused")
    assert PaymentIntent.objects.count() == 1


def test_a_key_counts_for_its_shopper_and_its_address_alone() -> None:
    user, other = make_user(), make_user()
    assert order(hold(user), user).status_code == 201
    assert order(hold(other), other).status_code == 201
    assert order(hold(user), user).headers.get("Idempotent-Replayed") is None
    assert Order.objects.count() == 3


def test_after_a_refusal_the_key_is_free() -> None:
    user = make_user()
    purchase = hold(user)
    wrong = BODY | {"shipping_address": ADDRESS | {"country": "XX"}}
    assert code(order(purchase, user, body=wrong)) == (400, "invalid")
    assert order(purchase, user).status_code == 201


def test_after_a_crash_the_request_may_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user()
    purchase = hold(user)
    with monkeypatch.context() as patch:
        patch.setattr(payments, "start", partial(_crash, OperationalError))
        with pytest.raises(OperationalError):
            order(purchase, user)
    assert order(purchase, user).json()["state"] == "paid"
    assert Order.objects.count() == 1


def test_while_the_first_is_at_work_the_second_is_told_to_wait_and_the_dead_are_replaced() -> None:
    user = make_user()
    purchase = hold(user)
    order(purchase, user)
    IdempotentAnswer.objects.update(status=None, body=None)
    waits = order(purchase, user)
    assert code(waits) == (409, "in_progress")
    assert waits.headers["Retry-After"] == "1"
    silent = timezone.now() - timedelta(seconds=idempotency.LEASE_SECONDS + 1)
    IdempotentAnswer.objects.update(created_at=silent)
    assert order(purchase, user).json()["state"] == "paid"
    assert PaymentIntent.objects.count() == 1


def test_a_key_without_end_is_refused() -> None:
    user = make_user()
    assert code(order(hold(user), user, key="x" * 201)) == (400, "idempotency_key_too_long")


def test_old_answers_are_forgotten() -> None:
    user = make_user()
    order(hold(user), user)
    assert idempotency.forget_old() == 0
    old = timezone.now() - timedelta(hours=idempotency.KEEP_HOURS + 1)
    IdempotentAnswer.objects.update(created_at=old)
    assert idempotency.forget_old() == 1


def _crash(error: type[Exception], **_: object) -> None:
    raise error


def works_at_once(sale: SaleInfo, user: User, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Six equal requests at the same moment: their statuses, and how often the work was begun."""
    begun: list[int] = []

    def counted(**arguments: Any) -> dict[str, Any]:
        begun.append(1)
        return place_and_pay(**arguments)

    monkeypatch.setattr("flashsale.api.place_and_pay", counted)
    purchase = held(buy(sale, user))
    Token.objects.get_or_create(user=user)
    statuses = Counter(at_once(*[lambda: order(purchase, user).status_code] * 6))
    assert set(statuses) <= {201, 409}
    assert Order.objects.count() == PaymentIntent.objects.count() == 1
    return begun


def test_six_at_once_are_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(works_at_once(make_sale(), make_user(), monkeypatch)) == 1


def test_control_without_a_row_that_keeps_the_others_out_several_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def begin(*, scope: str, **_: object) -> tuple[None, IdempotentAnswer]:
        return None, IdempotentAnswer.objects.create(scope=scope, key=str(uuid4()), fingerprint="")

    monkeypatch.setattr(idempotency, "_begin", begin)
    assert len(works_at_once(make_sale(), make_user(), monkeypatch)) > 1
