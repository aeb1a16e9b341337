"""Our Stripe for tests: started once, told what to do, and asked what it believes."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import httpx

from shop.models import Order, PaymentIntent
from tests.stack import PYTHON, ROOT

KEY, WEBHOOK_SECRET = "sk_test_12345", "whsec_test_12345"
#: Cards by what Stripe's documentation calls their behaviour; localstripe knows them.
NUMBERS = {
    "approve": "4242424242424242",
    "decline": "4000000000000341",
    "second_step": "4000002760003184",
}
SETTINGS = {
    "PAYMENT_GATEWAYS": ["stripe"],
    "STRIPE_SECRET_KEY": KEY,
    "STRIPE_PUBLISHABLE_KEY": "pk_test_12345",
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
}


@dataclass(frozen=True, slots=True)
class StripeServer:
    url: str

    def call(self, method: str, path: str, **data: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": str(uuid4())}
        answer = httpx.request(method, self.url + path, data=data, headers=headers, timeout=5)
        return answer.raise_for_status()

    def card(self, behaviour: str) -> str:
        """What Stripe.js does in the browser: a payment method's id for a card."""
        card = {"number": NUMBERS[behaviour], "exp_month": "12", "exp_year": "2040", "cvc": "123"}
        data = {"type": "card"} | {f"card[{name}]": value for name, value in card.items()}
        return str(self.call("POST", "/v1/payment_methods", **data).json()["id"])

    def fault(self, kind: str) -> None:
        httpx.post(f"{self.url}/_test/fault", content=kind, timeout=5).raise_for_status()

    def authenticate(self, intent: PaymentIntent, *, success: bool) -> None:
        """What the shopper does at the bank, by Stripe.js."""
        path = f"/v1/payment_intents/{intent.reference}"
        secret = self.call("GET", path).json()["client_secret"]
        self.call(
            "POST", f"{path}/_authenticate", client_secret=secret, success=str(success).lower()
        )

    def give_back(self, intent: PaymentIntent, amount: Decimal) -> None:
        """A refund in Stripe's dashboard."""
        data = {"payment_intent": intent.reference, "amount": str(int(amount * 100))}
        self.call("POST", "/v1/refunds", **data)

    def kept(self, order: Order) -> int:
        """Cents that Stripe took for this order and did not give back, from its own book."""
        found = self.call("GET", "/v1/payment_intents?limit=100").json()["data"]
        charges = [
            row["latest_charge"] for row in found if row["metadata"]["order"] == order.reference
        ]
        return sum(
            charge["amount"] - charge["amount_refunded"]
            for charge in charges
            if charge and charge["captured"] and charge["status"] == "succeeded"
        )


@contextmanager
def running_stripe() -> Iterator[StripeServer]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [PYTHON, "-W", "ignore", "-m", "tests.shop.stripe_server", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ)
    try:
        server = StripeServer(f"http://127.0.0.1:{port}")
        until = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{server.url}/v1/balance", timeout=1)
                break
            except httpx.TransportError:
                assert process.poll() is None, "localstripe did not start"
                assert time.monotonic() < until, "localstripe does not answer"
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=10)
