"""The API against its own description: whatever is sent, the answers are those that it promises.

Schemathesis makes requests from the OpenAPI document, from the same seed every time, and sends them through WSGI.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as tries
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.response import Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shop.api.carts import CartView
from shop.problems import CONTENT_TYPE
from tests.factories import make_sale, make_user, make_variant

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
WHO = pytest.mark.parametrize("who", ["guest", "account"])


def try_everything(*, who: str, examples: int) -> set[str]:
    """Send `examples` requests to every operation; return the operations that there are."""
    headers = {}
    if who == "account":
        headers["Authorization"] = f"Token {Token.objects.create(user=make_user()).key}"
    make_variant(units=3)
    make_sale()
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    tried = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        tried.add(operation.label)
        attempt(operation, headers, examples)
    return tried


def attempt(operation: Any, headers: dict[str, str], examples: int) -> None:
    @tries(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == [CONTENT_TYPE]
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["code"]

    send()


@pytest.fixture
def unlimited(settings: Settings, db: None) -> Iterator[None]:
    """Limits would answer most of it with 429; and the test's connection stays open, as with Django's client."""
    settings.RATELIMIT_ENABLE = False
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@WHO
def test_every_operation_answers_as_it_is_described(who: str, unlimited: None) -> None:
    tried = try_everything(who=who, examples=3)
    assert {"POST /api/v1/orders/", "PATCH /api/v1/cart/lines/{id}/"} <= tried


def test_an_answer_that_is_not_described_would_be_found(
    unlimited: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    cart = schema["/api/v1/cart/"]["GET"]
    attempt(cart, {}, 1)
    monkeypatch.setattr(CartView, "get", lambda view, request: Response("nonsense", status=200))
    with pytest.raises(FailureGroup):
        attempt(cart, {}, 1)


@pytest.mark.soak
@WHO
def test_every_operation_answers_so_to_many_requests(who: str, unlimited: None) -> None:
    try_everything(who=who, examples=150)
