"""One shopper: comes, waits, buys, and does as their habit is. Knows the API's contract alone."""

import asyncio
import math
import random
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx

from flashsale.crowd.people import CARDS, Habit, Personality
from flashsale.crowd.report import Report

#: Times that a shopper tries again after a broken connection or a 5xx.
TRIES = 6
#: Seconds between two looks at the line document, in the lobby and after; each shopper adds jitter.
LOBBY_POLL_SECONDS = 8.0
LINE_POLL_SECONDS = 2.5
#: Seconds between two looks at a purchase: quick at first, slower while the payment is late.
PURCHASE_POLL_SECONDS = (0.2, 1.0)
#: Seconds over which those arrive who come when the sale is open already.
LATECOMERS_SECONDS = 20.0

ADDRESS = {
    "recipient": "Crowd Shopper",
    "street": "1 Test Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What the crowd knows of the sale: the API's own words."""

    slug: str
    has_line: bool
    lobby_opens_at: datetime
    opens_at: datetime
    items: tuple[int, ...]

    @classmethod
    def parse(cls, sale: dict[str, Any]) -> "Place":
        return cls(
            slug=sale["slug"],
            has_line=sale["queue_mode"] != "none",
            lobby_opens_at=datetime.fromisoformat(sale["lobby_opens_at"]),
            opens_at=datetime.fromisoformat(sale["opens_at"]),
            items=tuple(item["id"] for item in sale["items"]),
        )


class _Gone(Exception):
    """This shopper is done; the report knows why."""


@dataclass
class Shopper:
    """One shopper of the crowd."""

    client: httpx.AsyncClient
    sale: Place
    key: str
    person: Personality
    chance: random.Random
    report: Report
    stays_until: float = math.inf

    async def shop(self) -> None:
        """Come, wait, buy, and do as one's habit is."""
        try:
            await asyncio.sleep(self._seconds_to_arrival())
            come = max(time.time(), self.sale.opens_at.timestamp())
            self.stays_until = come + self.person.patience
            ticket = await self._join() if self.sale.has_line else ""
            while True:
                admission = await self._be_let_in(ticket) if self.sale.has_line else ""
                purchase = await self._buy(admission)
                if purchase is not None:
                    await self._decide(purchase)
                    return
                self._check_patience()
        except _Gone:
            pass
        finally:
            self.report.finished += 1

    # On the way in

    def _seconds_to_arrival(self) -> float:
        now = datetime.now(tz=UTC)
        to_opening = (self.sale.opens_at - now).total_seconds()
        if self.sale.has_line and self.person.comes_early and to_opening > 0:
            to_lobby = max(0.0, (self.sale.lobby_opens_at - now).total_seconds())
            return to_lobby + self.person.arrival * (to_opening - to_lobby)
        return max(0.0, to_opening) + self.person.arrival * LATECOMERS_SECONDS

    async def _join(self) -> str:
        while True:
            answer = await self._ask("POST", f"sales/{self.sale.slug}/ticket/")
            if answer.status_code in (HTTPStatus.OK, HTTPStatus.CREATED):
                self.report.joined += 1
                return str(answer.json()["ticket"])
            self._check_patience()
            self._note(answer)
            await self._wait(_retry_after(answer) or LINE_POLL_SECONDS)

    async def _be_let_in(self, ticket: str) -> str:
        """Watch the line document until it is one's turn, and trade the ticket for an admission."""
        came = max(time.time(), self.sale.opens_at.timestamp())
        place: int | None = None
        while True:
            document = (await self._ask("GET", f"sales/{self.sale.slug}/line/")).json()
            self._leave_if_over(document["phase"])
            if document["phase"] in ("lobby", "scheduled"):
                to_opening = self.sale.opens_at.timestamp() - time.time()
                await self._wait(min(LOBBY_POLL_SECONDS, max(0.5, to_opening)))
                continue
            self._check_patience()
            if place is None:
                answer = await self._ask(
                    "POST", f"sales/{self.sale.slug}/ticket/", json={"ticket": ticket}
                )
                place = answer.json().get("place") if answer.is_success else None
            if place is None or place > _serving(document["serving"], at=time.time()):
                await self._wait(LINE_POLL_SECONDS)
                continue
            answer = await self._ask(
                "POST", f"sales/{self.sale.slug}/admission/", json={"ticket": ticket}
            )
            if answer.status_code == HTTPStatus.CREATED:
                self.report.admitted += 1
                self.report.waits.append(max(0.0, time.time() - came))
                return str(answer.json()["admission"])
            self._note(answer)
            await self._wait(_retry_after(answer) or LINE_POLL_SECONDS)

    # Buying

    async def _buy(self, admission: str) -> str | None:
        """The address of a held purchase; None when the shopper has to get back in line.

        Raises:
            _Gone: a definite no.
        """
        attempt = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        item = self.chance.choice(self.sale.items)
        while True:
            await self._wait(self.person.pause)
            clicked = time.monotonic()
            clicks = [
                self._click(attempt, admission, item)
                for _ in range(2 if self.person.double_clicks else 1)
            ]
            answer = (await asyncio.gather(*clicks))[0]
            if answer.status_code == HTTPStatus.ACCEPTED:
                self.report.claimed += 1
                purchase = f"purchases/{answer.json()['id']}/"
                return purchase if await self._is_held(purchase, clicked) else None
            code = _code(answer)
            if code == "sold_out":
                await self._watch_sold_out()
                continue
            if code == "admission_not_valid":
                return None
            if code in ("limit_reached", "not_open"):
                self.report.refused[code] += 1
                raise _Gone
            self._note(answer)
            self._check_patience()
            await self._wait(_retry_after(answer) or 0.0)

    async def _click(self, attempt: str, admission: str, item: int) -> httpx.Response:
        body = {"admission": admission, "item": item, "quantity": 1}
        return await self._ask(
            "POST",
            f"sales/{self.sale.slug}/purchases/",
            json=body,
            headers={"Idempotency-Key": attempt},
        )

    async def _is_held(self, purchase: str, clicked: float) -> bool:
        state = await self._state_after(purchase, "queued")
        if state["state"] == "refused":
            if state["reason"] == "sold_out":
                await self._watch_sold_out()
                return False
            self.report.refused[state["reason"]] += 1
            raise _Gone
        self.report.held += 1
        self.report.buy_to_held.append(time.monotonic() - clicked)
        return True

    async def _watch_sold_out(self) -> None:
        """Nothing is free: stay only while a held unit may come back and there is patience left."""
        document = (await self._ask("GET", f"sales/{self.sale.slug}/line/")).json()
        self._leave_if_over(document["phase"])
        self._check_patience(reason="sold_out")
        await self._wait(LINE_POLL_SECONDS)

    # With a unit in hand

    async def _decide(self, purchase: str) -> None:
        await self._wait(self.person.pause)
        match self.person.habit:
            case Habit.WALKS_AWAY:
                self.report.walked_away += 1
                await self._let_expire(purchase)
            case Habit.LETS_GO:
                answer = await self._ask("DELETE", purchase)
                if answer.is_success:
                    self.report.released += 1
                else:
                    self._note(answer)
            case habit:
                card = CARDS.get(habit, "approve")
                await self._order(purchase, card)
                if card == "decline":
                    self.report.declined += 1
                    if habit is Habit.GIVES_UP:
                        await self._let_expire(purchase)
                        return
                    await self._wait(self.person.pause)
                    await self._order(purchase, "approve")
                await self._see_paid(purchase)

    async def _order(self, purchase: str, card: str) -> None:
        body = {
            "shipping_address": ADDRESS,
            "payment_method": {"method": "demo", "card": card},
        }
        answer = await self._ask("POST", f"{purchase}order/", json=body)
        if not answer.is_success:
            self._note(answer)

    async def _see_paid(self, purchase: str) -> None:
        state = await self._state_after(purchase, "held", "ordered")
        if state["state"] == "paid":
            self.report.paid += 1
        elif state["state"] in ("expired", "released"):
            self.report.expired += 1
        else:
            self.report.errors[f"ordered, then {state['state']}"] += 1

    async def _let_expire(self, purchase: str) -> None:
        state = (await self._ask("GET", purchase)).json()
        if state["hold_expires_at"]:
            ends = datetime.fromisoformat(state["hold_expires_at"]).timestamp()
            await asyncio.sleep(max(0.0, ends - time.time()) + self.chance.uniform(0.5, 2.0))
        state = await self._state_after(purchase, "held", "ordered")
        # An order that was not paid in time lets its reservation go: both words are true then.
        if state["state"] in ("expired", "released"):
            self.report.expired += 1
        else:
            self.report.errors[f"not paid, then {state['state']}"] += 1

    async def _state_after(self, purchase: str, *passing: str) -> dict[str, Any]:
        """Poll a purchase until its state is none of `passing`."""
        pause, slowest = PURCHASE_POLL_SECONDS
        while True:
            answer = await self._ask("GET", purchase)
            if answer.is_success:
                state: dict[str, Any] = answer.json()
                if state["state"] not in passing:
                    return state
            else:
                self._note(answer)
            await self._wait(pause)
            pause = min(slowest, pause * 1.5)

    # What everybody does

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request; wait and repeat it while the shop is busy or the connection breaks."""
        headers = {"Authorization": f"Token {self.key}", **more.pop("headers", {})}
        for _ in range(TRIES):
            try:
                answer = await self.client.request(method, path, headers=headers, **more)
            except httpx.TransportError as error:
                self.report.errors[type(error).__name__] += 1
                await self._wait(1.0)
                continue
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                if answer.is_server_error:
                    self._note(answer)
                return answer
            await self._wait(_retry_after(answer) or 1.0)
        self.report.errors[f"gave up {method} {path.partition('/')[0]}"] += 1
        raise _Gone

    def _note(self, answer: httpx.Response) -> None:
        """Count an answer that is neither success nor one of the line's polite refusals."""
        expected = (HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
        if answer.status_code not in expected:
            route = answer.request.url.path.rstrip("/").rpartition("/")[2][:12]
            self.report.errors[f"{answer.status_code} {_code(answer)} at {route}"] += 1

    def _leave_if_over(self, phase: str) -> None:
        if phase in ("sold_out", "ended", "cancelled"):
            self.report.refused[phase] += 1
            raise _Gone

    def _check_patience(self, *, reason: str = "") -> None:
        if time.time() > self.stays_until:
            if reason:
                self.report.refused[reason] += 1
            self.report.left_impatient += 1
            raise _Gone

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.chance.uniform(0.7, 1.3))


def _serving(serving: dict[str, Any], *, at: float) -> float:
    """The serving number at a moment in epoch seconds, as the contract has it."""
    since, until = (datetime.fromisoformat(serving[name]).timestamp() for name in ("at", "until"))
    passed = max(0.0, min(at, until) - since)
    return float(serving["base"] + serving["rate"] * passed + 1e-6)


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _code(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("Content-Type", ""):
        return "without a code"
    return str(answer.json().get("code", "without a code"))
