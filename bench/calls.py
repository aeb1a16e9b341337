"""A call of the JSON API as a browser sends it, as bytes: signed cookie, CSRF token, origin, an address of its own."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.middleware.csrf import _get_new_csrf_string

from bench.least import PREFIX
from flashsale import shoppers
from flashsale.sales import SaleInfo


def by_browser(
    port: int, *, path: str, shopper: UUID, number: int, body: str, more: Sequence[str] = ()
) -> bytes:
    """`number` becomes the address, for a server that trusts one proxy; `more` are further headers."""
    secret = _get_new_csrf_string()
    cookie = shoppers.sign_cookie(shopper)
    return "\r\n".join(
        [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Origin: http://127.0.0.1:{port}",
            "Accept: application/json",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Cookie: shopper={cookie}; csrftoken={secret}; sessionid={uuid4().hex}",
            f"X-CSRFToken: {secret}",
            f"X-Forwarded-For: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            *more,
            "",
            body,
        ]
    ).encode()


def least(port: int, call: str, sale: SaleInfo, count: int) -> list[bytes]:
    """Calls of `bench.least`, with the headers and about as long a body as a browser's."""
    path = f"{PREFIX}{call}/{sale.id}/{sale.items[0].id}/"
    return [
        by_browser(port, path=path, shopper=uuid4(), number=number, body="x" * 170)
        for number in range(count)
    ]
