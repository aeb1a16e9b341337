"""`Idempotency-Key`: a request that creates something has one effect, however often it is sent.

The first request with a key leaves a row before it does anything, and the row keeps the answer. The same request
again is given that answer; a request with the same key and another body is refused (422), and so is one that
comes while the first is at work (409). Only successes are kept: after a refusal nothing has happened, and the
key is free.
After the draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header).
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db.models.functions import Now
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop.models import IdempotentAnswer
from shop.problems import Problem

HEADER = "Idempotency-Key"
LONGEST_KEY = 200
#: Seconds after which whoever was at work is taken for dead, and the request is done again.
LEASE_SECONDS = 60
#: Hours for which an answer is given again.
KEEP_HOURS = 24


def idempotent(post: Callable[..., Response]) -> Callable[..., Response]:
    """Decorate the `post` of an API view whose effect is itself safe to repeat under the same key.

    A process may die after the effect and before the answer is kept; then the request is done again.
    """

    @wraps(post)
    def once(self: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        if not key:
            return post(self, request, *args, **kwargs)
        if len(key) > LONGEST_KEY:
            raise Problem(
                status=400,
                code="idempotency_key_too_long",
                detail=f"An {HEADER} has at most {LONGEST_KEY} signs.",
            )
        known, row = _begin(scope=f"{_who(request)} {request.path}", key=key, body=request.data)
        if known is not None:
            return known
        try:
            answer = post(self, request, *args, **kwargs)
        except BaseException:
            row.delete()
            raise
        row.status = answer.status_code
        row.body = json.loads(JSONRenderer().render(answer.data))
        row.save(update_fields=["status", "body"])
        return answer

    described = extend_schema(
        parameters=[
            OpenApiParameter(
                HEADER,
                location=OpenApiParameter.HEADER,
                description="Names the attempt: sent again with the same body, it gets the same answer.",
            )
        ]
    )
    return described(once)


def forget_old() -> int:
    """Delete answers that are not given again; return how many."""
    old = IdempotentAnswer.objects.filter(created_at__lt=Now() - timedelta(hours=KEEP_HOURS))
    return old.delete()[0]


def _who(request: Request) -> str:
    """Two guests may choose the same key: a guest is known by the session."""
    if request.user.is_authenticated:
        return str(request.user.pk)
    return f"guest:{request.session.session_key}"


def _begin(*, scope: str, key: str, body: Any) -> tuple[Response | None, IdempotentAnswer]:
    """The answer that is known, or the row under which to find one.

    Raises:
        Problem: 422, the key stands for something else; 409, somebody is at work on it.
    """
    fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    row, is_new = IdempotentAnswer.objects.get_or_create(
        scope=scope, key=key, defaults={"fingerprint": fingerprint}
    )
    if row.fingerprint != fingerprint:
        raise Problem(
            status=422,
            code="idempotency_key_reused",
            detail=f"This {HEADER} was used for something else. Take a new one.",
        )
    if is_new or _take_over(row):
        return None, row
    if row.status is None:
        raise Problem(
            status=409,
            code="in_progress",
            detail="The same request is being worked on. Ask again in a moment.",
            retry_after=1,
        )
    return Response(row.body, status=row.status, headers={"Idempotent-Replayed": "true"}), row


def _take_over(row: IdempotentAnswer) -> bool:
    """Whether whoever was at work has been silent for too long, and the row is ours now."""
    silent = IdempotentAnswer.objects.filter(
        pk=row.pk, status=None, created_at__lt=Now() - timedelta(seconds=LEASE_SECONDS)
    )
    return bool(silent.update(created_at=Now()))
