"""A synthetic crowd: shoppers who come to a sale through real HTTP, as programs of their own would.

It knows the JSON API's contract and nothing of the inside. Bounded in people and time, and only ever sent to
this machine: a crowd at somebody else's door is an attack.
"""

import asyncio
import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.contrib.auth.hashers import make_password
from rest_framework.authtoken.models import Token

from shop.models import User

#: People that one process can play on a small machine.
MOST_SHOPPERS = 5000
#: Connections that the crowd opens at the most; the others wait as in a browser's own pool.
CONNECTIONS = 64
#: Seconds that one request may take before the shopper tries again.
REQUEST_SECONDS = 15.0
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


class NotLoopbackError(Exception):
    """The crowd is sent to this machine alone."""


class Habit(StrEnum):
    """What somebody does with a unit that is held for them."""

    PAYS = "pays"
    PAYS_LATE = "pays late"
    PAYS_TWICE = "pays, reported three times"
    IS_DECLINED_ONCE = "is declined once, then pays"
    GIVES_UP = "is declined and gives up"
    WALKS_AWAY = "walks away"
    LETS_GO = "lets go"


#: How many of a hundred do what: about one unit in five comes back.
HABITS = {
    Habit.PAYS: 58,
    Habit.PAYS_LATE: 7,
    Habit.PAYS_TWICE: 7,
    Habit.IS_DECLINED_ONCE: 8,
    Habit.GIVES_UP: 5,
    Habit.WALKS_AWAY: 10,
    Habit.LETS_GO: 5,
}
#: The demo card that goes with a habit.
CARDS = {
    Habit.PAYS_LATE: "late",
    Habit.PAYS_TWICE: "duplicate",
    Habit.IS_DECLINED_ONCE: "decline",
    Habit.GIVES_UP: "decline",
}


@dataclass(frozen=True, slots=True)
class Personality:
    """How one shopper behaves.

    Attributes:
        comes_early: whether they come before the opening.
        arrival: 0 to 1, when within the time that they come in.
        patience: seconds that they stay without a unit once it is open and they are there.
        pause: seconds that they think before each click.
    """

    habit: Habit
    double_clicks: bool
    comes_early: bool
    arrival: float
    patience: float
    pause: float


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the crowd and its key to the API."""

    email: str
    key: str


@dataclass
class Report:
    """What the crowd saw. Times are lists of seconds."""

    shoppers: int
    joined: int = 0
    admitted: int = 0
    claimed: int = 0
    held: int = 0
    paid: int = 0
    released: int = 0
    expired: int = 0
    walked_away: int = 0
    left_impatient: int = 0
    declined: int = 0
    finished: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    buy_to_held: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The summary, for people."""
        refused = ", ".join(f"{count} {why}" for why, count in sorted(self.refused.items()))
        errors = ", ".join(f"{count} × {kind}" for kind, count in self.errors.most_common())
        return [
            f"shoppers    {self.shoppers}: {self.joined} joined the line, {self.admitted} let in",
            f"bought      {self.held} times held, {self.paid} paid",
            f"came back   {self.released} let go, {self.expired} expired unpaid"
            f" ({self.walked_away} walked away, {self.declined} cards declined)",
            f"refused     {refused or 'nobody'}; {self.left_impatient} did not want to wait longer",
            f"waited      {_seconds(self.waits, 0.5)} (median) to be let in,"
            f" 95 % at most {_seconds(self.waits, 0.95)}",
            f"buy to held {_seconds(self.buy_to_held, 0.5)} (median),"
            f" 99 % at most {_seconds(self.buy_to_held, 0.99)}",
            f"errors      {errors or 'none'}",
        ]

    def progress(self) -> str:
        """One line for the way."""
        parts = {
            "joined": self.joined,
            "let in": self.admitted,
            "held": self.held,
            "paid": self.paid,
            "came back": self.released + self.expired,
            "refused": self.refused.total(),
            "errors": self.errors.total(),
            "done": self.finished,
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items())


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all values do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def _seconds(values: Sequence[float], share: float) -> str:
    value = quantile(values, share)
    return "nobody" if value is None else f"{value:.1f} s"


def check_address(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        NotLoopbackError: it is not plain HTTP on this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if parts.scheme != "http" or not is_here:
        raise NotLoopbackError(
            f"{url} is not this machine: give an address such as http://127.0.0.1:8000."
        )
    return url.rstrip("/")


def enlist(count: int) -> list[Member]:
    """The first `count` accounts of the crowd, made when they are new; they have no password."""
    emails = [f"crowd-{number:04}@crowd.invalid" for number in range(1, count + 1)]
    User.objects.bulk_create(
        (User(email=email, name="Crowd", password=make_password(None)) for email in emails),
        ignore_conflicts=True,
    )
    users = User.objects.filter(email__in=emails)
    Token.objects.bulk_create(
        (
            Token(user=user, key=Token.generate_key(), created=datetime.now(tz=UTC))
            for user in users.filter(auth_token=None)
        ),
        ignore_conflicts=True,
    )
    keys = Token.objects.filter(user__in=users).order_by("user__email")
    return [Member(email, key) for email, key in keys.values_list("user__email", "key")]


def imagine(*, seed: int, number: int) -> Personality:
    """The personality of a shopper: the same seed and number, the same person."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 -- people, not secrets
    return Personality(
        habit=chance.choices(list(HABITS), weights=list(HABITS.values()))[0],
        double_clicks=chance.random() < 0.15,
        comes_early=chance.random() < 0.8,
        arrival=chance.random(),
        patience=chance.uniform(60, 240),
        pause=chance.uniform(0.5, 5.0),
    )


async def send(
    *,
    url: str,
    slug: str,
    members: Sequence[Member],
    seed: int,
    seconds: float,
    report: Report,
    tick: Callable[[Report], None],
) -> None:
    """Send the members to a sale and wait until all are done, `seconds` at the most.

    Args:
        report: filled on the way.
        tick: called about four times a second with the report.

    Raises:
        NotLoopbackError: `url` is somewhere else.
        httpx.HTTPError: there is no such sale, or no shop at `url`.
    """
    address = check_address(url)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1/", limits=limits, timeout=REQUEST_SECONDS, trust_env=False
    ) as client:
        answer = await client.get(f"sales/{slug}/")
        answer.raise_for_status()
        sale = Place.parse(answer.json())
        people = [
            asyncio.create_task(
                Shopper(
                    client=client,
                    sale=sale,
                    key=member.key,
                    person=imagine(seed=seed, number=number),
                    chance=random.Random(f"{seed}:{number}:on the way"),  # noqa: S311 -- jitter
                    report=report,
                ).shop()
            )
            for number, member in enumerate(members)
        ]
        deadline = time.monotonic() + seconds
        while not all(person.done() for person in people) and time.monotonic() < deadline:
            await asyncio.wait(people, timeout=0.25, return_when=asyncio.ALL_COMPLETED)
            tick(report)
        for person in people:
            person.cancel()
        for outcome in await asyncio.gather(*people, return_exceptions=True):
            if isinstance(outcome, asyncio.CancelledError):
                report.errors["ran out of time"] += 1
            elif isinstance(outcome, BaseException):
                report.errors[f"{type(outcome).__name__}: {outcome}"[:80]] += 1


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
        elif state["state"] == "expired":
            self.report.expired += 1
        else:
            self.report.errors[f"ordered, then {state['state']}"] += 1

    async def _let_expire(self, purchase: str) -> None:
        state = (await self._ask("GET", purchase)).json()
        if state["hold_expires_at"]:
            ends = datetime.fromisoformat(state["hold_expires_at"]).timestamp()
            await asyncio.sleep(max(0.0, ends - time.time()) + self.chance.uniform(0.5, 2.0))
        state = await self._state_after(purchase, "held", "ordered")
        if state["state"] == "expired":
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


def _serving(serving: dict[str, float], *, at: float) -> float:
    """The serving number at a moment in epoch seconds, as the contract has it."""
    passed = max(0.0, min(at, serving["until"]) - serving["at"])
    return serving["base"] + serving["rate"] * passed + 1e-6


def _retry_after(answer: httpx.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None


def _code(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("Content-Type", ""):
        return "without a code"
    return str(answer.json().get("code", "without a code"))
