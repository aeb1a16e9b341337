"""What the hot routes of the JSON API answer, ready to be sent: the same over Django and over the express way."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from flashsale.admissions import Admitted
from shop import problems

#: Seconds after which a client that met a busy moment may try again.
BUSY_RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """`content` is JSON in UTF-8, a problem document from status 400 on; a browser keeps what it was `admitted` to."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    admitted: Admitted | None = None

    @property
    def content_type(self) -> str:
        return "application/json" if self.status < 400 else problems.CONTENT_TYPE


def encode(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document)


def refusal(
    status: int, code: str, detail: str, *, retry_after: int | None = None, **more: Any
) -> Reply:
    """A problem document; `retry_after` in seconds becomes the header."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    document = problems.document(status=status, code=code, detail=detail, **more)
    return Reply(status, encode(document), headers)


def busy() -> Reply:
    """Redis is away, and without it this cannot be done."""
    detail = "We could not do this just now, and nothing was taken. Please try again."
    return refusal(503, "busy", detail, retry_after=BUSY_RETRY_SECONDS)
