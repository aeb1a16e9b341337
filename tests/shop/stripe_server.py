"""A Stripe on this machine: `localstripe`, and what it lacks that the gateway rests on.

`python -m tests.shop.stripe_server PORT` serves it on 127.0.0.1. localstripe knows manual capture, cancellation,
refunds, cards that decline or ask for a second step, and webhooks about success and failure. It speaks an older
version of the API, and is more lenient than Stripe is; added here, as Stripe's documentation says it:

- a POST with an `Idempotency-Key` that is known gets the first answer again, or 400 with other parameters;
- parameters of the pinned version that localstripe does not know are taken off;
- more than what is left of a charge is not refunded, nor what was not captured; and what is not authorised is not
  captured;
- what is sent to /_test/fault happens to the next POST: `before` breaks the line before anything is done, `after`
  when it is done, and `500` answers so when it is done.
"""

import asyncio
import sys
from typing import Any

from aiohttp import web
from localstripe import server
from localstripe.errors import UserError
from localstripe.resources import PaymentIntent, Refund, store

#: Parameters of the pinned version of the API.
NEWER = {"return_url", "allowed_payment_method_types"}
known: dict[str, tuple[Any, int, bytes]] = {}
fault: list[str] = []
read_post_data = server.get_post_data


async def post_data(request: web.Request, remove_auth: bool = True) -> Any:
    data = await read_post_data(request, remove_auth)
    if not data:
        return data
    return {name: value for name, value in data.items() if name not in NEWER}


def make_refund(**data: Any) -> Any:
    charge = PaymentIntent._api_retrieve(data["payment_intent"]).latest_charge
    if charge is None or not charge.captured:
        raise UserError(400, "This payment was not captured.")
    if int(data["amount"]) > charge.amount - charge.amount_refunded:
        raise UserError(400, "Refund amount is greater than unrefunded amount on charge.")
    return Refund(**data)


@web.middleware
async def with_keys_and_faults(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.path == "/_test/fault":
        fault[:] = [await request.text()]
        return web.Response()
    now = fault.pop() if fault and request.method == "POST" else ""
    if now == "before":
        return cut(request)
    key = request.headers.get("Idempotency-Key", "")
    sent = (request.path, await request.text())
    if key in known and known[key][0] != sent:
        body = {"error": {"type": "idempotency_error", "message": "Other parameters."}}
        return web.json_response(body, status=400)
    if key in known:
        _, status, answer = known[key]
        return web.Response(body=answer, status=status, content_type="application/json")
    if request.path.endswith("/capture") and not can_be_captured(request.path.split("/")[-2]):
        return web.json_response({"error": {"type": "invalid_request_error"}}, status=400)
    response = await handler(request)
    if key and isinstance(response, web.Response) and isinstance(response.body, bytes):
        known[key] = (sent, response.status, response.body)
    if now == "after":
        return cut(request)
    return web.json_response({"error": {}}, status=500) if now == "500" else response


def can_be_captured(reference: str) -> bool:
    return bool(PaymentIntent._api_retrieve(reference).status == "requires_capture")


def cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def main(port: int) -> None:
    server.get_post_data = post_data
    server.app.middlewares.insert(0, with_keys_and_faults)
    server.Refund._api_create = make_refund
    # It keeps everything in a file of one name for all; here memory is enough.
    store.dump_to_disk = lambda: None
    asyncio.set_event_loop(asyncio.new_event_loop())
    web.run_app(server.app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]))
