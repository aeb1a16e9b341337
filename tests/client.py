"""A client of the shop's JSON API, written from the contract alone."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

ADDRESS = {
    "recipient": "Ada Example",
    "street": "1 Sample Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}


class Client:
    """One shopper. Every method returns the response, whatever its status."""

    def __init__(self, url: str, *, email: str, password: str = "demo") -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1/", timeout=20)
        answer = self.http.post("auth/token/", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Token {answer.json()['token']}"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def join(self, sale: str) -> httpx.Response:
        return self.http.post(f"sales/{sale}/ticket/")

    def line(self, sale: str) -> dict[str, Any]:
        return dict(self.http.get(f"sales/{sale}/line/").json())

    def enter(self, sale: str, ticket: str) -> httpx.Response:
        return self.http.post(f"sales/{sale}/admission/", json={"ticket": ticket})

    def buy(
        self,
        sale: str,
        item: int,
        *,
        admission: str | None = None,
        key: str = "",
        quantity: int = 1,
    ) -> httpx.Response:
        return self.http.post(
            f"sales/{sale}/purchases/",
            json={"admission": admission, "item": item, "quantity": quantity},
            headers={"Idempotency-Key": key or str(uuid4())},
        )

    def purchase(self, purchase_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"purchases/{purchase_id}/").json())

    def order(self, purchase_id: str, *, card: str = "approve") -> httpx.Response:
        return self.http.post(
            f"purchases/{purchase_id}/order/",
            json={
                "shipping_address": ADDRESS,
                "payment_method": {"method": "demo", "card": card},
            },
        )

    def until(
        self, ask: Callable[[], Any], wanted: Callable[[Any], bool], *, seconds: float = 20
    ) -> Any:
        """Ask until the answer is the wanted one; fail with the last one."""
        deadline = time.monotonic() + seconds
        while not wanted(answer := ask()):
            assert time.monotonic() < deadline, f"still {answer} after {seconds} s"
            headers = answer.headers if isinstance(answer, httpx.Response) else {}
            time.sleep(float(headers.get("Retry-After", 0.1)))
        return answer

    def until_state(self, purchase_id: str, *states: str, seconds: float = 20) -> dict[str, Any]:
        answer = self.until(
            lambda: self.purchase(purchase_id),
            lambda purchase: purchase["state"] in states,
            seconds=seconds,
        )
        return dict(answer)
