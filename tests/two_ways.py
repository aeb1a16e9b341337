"""The JSON API by its two ways, the express way and Django's route: what tests of both have in common."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import redis
from django.core.signals import request_started
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from flashsale import shedding, shoppers
from shop.models import User

SECRET = "s" * 32

BOTH_WAYS = pytest.mark.parametrize("way", ["express", "django"])


@contextmanager
def asked_of_django() -> Iterator[list[str]]:
    """Addresses that Django is asked for meanwhile."""
    asked: list[str] = []

    def listen(environ: dict[str, Any], **more: object) -> None:
        asked.append(environ["PATH_INFO"])

    request_started.connect(listen)
    try:
        yield asked
    finally:
        request_started.disconnect(listen)


def by_cookie(shopper: UUID, **more: str) -> dict[str, str]:
    """What a browser of ours sends with a call."""
    return {
        "Cookie": f"shopper={shoppers.sign_cookie(shopper)}; csrftoken={SECRET}",
        "X-CSRFToken": SECRET,
        "Origin": "http://testserver",
        "Idempotency-Key": "one",
    } | more


def by_token(user: User, **more: str) -> dict[str, str]:
    token, _ = Token.objects.get_or_create(user=user)
    return {"Authorization": f"Token {token.key}", "Idempotency-Key": "one"} | more


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count what is sent to Redis, by command; a query fails the test at the end.

    No look at the load level falls into the time, which a process takes twice a second, whoever calls.
    """
    calls: Counter[str] = Counter()
    send = redis.Connection.send_packed_command

    def counting(one: Any, command: Any, *args: Any, **more: Any) -> Any:
        calls[bytes(command[0]).split(b"\r\n")[2].decode()] += 1
        return send(one, command, *args, **more)  # type: ignore[no-untyped-call]  # redis-py's

    monkeypatch.setattr(shedding._memory, "look_at", float("inf"))
    monkeypatch.setattr(redis.Connection, "send_packed_command", counting)
    with CaptureQueriesContext(connection) as queries:
        yield calls
    sent = [query["sql"] for query in queries.captured_queries]
    assert not sent, sent
