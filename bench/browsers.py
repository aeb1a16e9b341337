"""Browsers in line, as many as there are shoppers, over real HTTP: what `bench.line_run` sends to a shop.

They do what `static/js/line.js` does: they poll with jitter, work out their place and wait from the document, and ask
to enter when the serving number has reached them. Half of the shoppers join and are not heard of again, as bots
without cookies. All traffic stays on this machine, and a run ends by itself after `MOST_SECONDS`.
"""

import heapq
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.middleware.csrf import _get_new_csrf_string
from django.utils import timezone

from bench import servers, stage
from config import demo
from flashsale import line, shoppers, store
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo, describe

SHOPPERS, UNITS, CAP, PACE = 10_000, 2600, 400, 1200
#: Seconds: from the first joiner to the opening, and until the last latecomer.
LOBBY_SECONDS, LATE_SECONDS = 30.0, 20.0
#: Seconds that somebody inside takes to choose, on average; the share of them who then buy.
CHOOSING_SECONDS, SHARE_WHO_BUY = 8.0, 0.8
#: Seconds between two polls when near the front or a sell-out may be near, and when far from both (as in line.js).
NEAR_POLL, FAR_POLL = 1.9, 10.0
CONNECTIONS = 48
SEED = 4
MOST_SECONDS = 420.0
#: Seconds of a wait under which an estimate is not judged: the next poll corrects it.
SHORTEST_WAIT = 15.0


@dataclass
class Person:
    shopper: UUID
    headers: str
    comes: bool
    ticket: str = ""
    number: int | None = None
    place: int | None = None
    asks: bool = False
    estimates: list[tuple[float, float]] = field(default_factory=list)
    entered_at: float | None = None
    knows_sold_out_at: float | None = None
    is_done: bool = False


@dataclass
class Seen:
    """What the run is judged by; moments are seconds of `time.time`."""

    statuses: Counter[str] = field(default_factory=Counter)
    entries: list[float] = field(default_factory=list)
    most_inside: int = 0
    sold_out_at: float | None = None
    full_answers: int = 0
    reasons: list[tuple[float, str]] = field(default_factory=list)


class Client:
    """Requests of many people over a few kept connections, each when its moment has come."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.idle: list[socket.socket] = []
        self.pending: deque[tuple[bytes, Callable[[int, bytes], None]]] = deque()
        self.busy: dict[socket.socket, tuple[bytes, bytearray, Callable[[int, bytes], None]]] = {}
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        for _ in range(CONNECTIONS):
            self.idle.append(self._connect())

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _ask_again(self, connection: socket.socket) -> None:
        """The server closes connections that were idle for long; what was asked then is asked on a new one."""
        request, received, then = self.busy.pop(connection)
        assert not received, "an answer broke off"
        self.selector.unregister(connection)
        connection.close()
        self.idle.append(self._connect())
        self.send(request, then)

    def at(self, moment: float, work: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.events, (moment, self.count, work))

    def send(self, request: bytes, then: Callable[[int, bytes], None]) -> None:
        self.pending.append((request, then))
        self._send_pending()

    def _send_pending(self) -> None:
        while self.pending and self.idle:
            connection, (request, then) = self.idle.pop(), self.pending.popleft()
            connection.sendall(request)
            self.busy[connection] = (request, bytearray(), then)
            self.selector.register(connection, selectors.EVENT_READ)

    def run(self, *, until: Callable[[], bool]) -> None:
        while not until():
            now = time.time()
            while self.events and self.events[0][0] <= now:
                heapq.heappop(self.events)[2]()
            wait = min(0.05, max(0.0, self.events[0][0] - time.time())) if self.events else 0.05
            for item, _ in self.selector.select(timeout=wait):
                self._receive(item.fileobj)  # type: ignore[arg-type]  # we registered sockets
            self._send_pending()

    def _receive(self, connection: socket.socket) -> None:
        _, received, then = self.busy[connection]
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            part = b""
        if not part:
            self._ask_again(connection)
            return
        received += part
        head, found, body = bytes(received).partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self.selector.unregister(connection)
        del self.busy[connection]
        self.idle.append(connection)
        then(int(head[9:12]), head + b"\r\n\r\n" + body)


class Run:
    def __init__(self, client: Client, sale: SaleInfo, people: list[Person], seen: Seen) -> None:
        self.client, self.sale, self.people, self.seen = client, sale, people, seen
        self.document: dict[str, Any] = {}

    def call(
        self, person: Person, what: str, body: dict[str, Any] | None, then: Callable[..., None]
    ) -> None:
        content = json.dumps(body) if body is not None else ""
        method = "DELETE" if body is None else "POST"
        request = (
            f"{method} /api/v1/sales/{self.sale.slug}/{what}/ HTTP/1.1\r\n{person.headers}"
            f"Idempotency-Key: {person.shopper}\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        )

        def answered(status: int, raw: bytes) -> None:
            self.seen.statuses[f"{what} {status}"] += 1
            then(status, raw)

        self.client.send(request.encode(), answered)

    def join(self, person: Person) -> None:
        def joined(status: int, raw: bytes) -> None:
            assert status in (200, 201), raw
            said = json.loads(raw.partition(b"\r\n\r\n")[2])
            person.ticket, person.place = said["ticket"], said["place"]
            person.is_done = not person.comes
            if person.comes:
                self.client.at(
                    time.time() + random.uniform(0, NEAR_POLL), lambda: self.poll(person)
                )

        self.call(person, "ticket", {}, joined)

    def poll(self, person: Person) -> None:
        if person.asks or person.entered_at or person.is_done:
            return
        request = (
            f"GET /api/v1/sales/{self.sale.slug}/line/ HTTP/1.1\r\nHost: 127.0.0.1:{self.client.port}\r\n"
            "Accept: application/json\r\n\r\n"
        )
        self.client.send(request.encode(), lambda status, raw: self.polled(person, status, raw))

    def polled(self, person: Person, status: int, raw: bytes) -> None:
        self.seen.statuses[f"line {status}"] += 1
        now = time.time()
        document = json.loads(raw.partition(b"\r\n\r\n")[2])
        if document["phase"] == "open" and person.place is None and document["draw_size"]:
            person.place = line.drawn_place(
                seed=document["seed"], shopper=person.shopper, draw_size=document["draw_size"]
            )
        if (
            self.seen.sold_out_at
            and document["units_left"] == 0
            and person.knows_sold_out_at is None
        ):
            person.knows_sold_out_at = now
        pause = FAR_POLL / 4 if document["phase"] == "lobby" else NEAR_POLL
        if person.place is not None and document["phase"] == "open":
            serving = document["serving"]
            until, at = _moment(serving["until"]), _moment(serving["at"])
            pace = serving["pace"]
            number = serving["base"] + serving["rate"] * max(0.0, min(now, until) - at)
            will_be = serving["base"] + serving["rate"] * (until - at)
            if number + 1e-6 >= person.place:
                self.enter(person)
                return
            if will_be + 1e-6 >= person.place:
                turn = at + (person.place - serving["base"]) / serving["rate"]
                self.client.at(turn + random.uniform(0.02, 0.25), lambda: self.enter(person))
                return
            ahead = person.place - 1 - number
            wait = ahead / pace if pace and ahead < document["units_left"] else None
            if wait is not None:
                person.estimates.append((now, wait))
            if wait is not None and wait > 60 and document["units_left"] > CAP + 30 * pace:
                pause = FAR_POLL
        self.client.at(now + pause * random.uniform(0.75, 1.0), lambda: self.poll(person))

    def enter(self, person: Person) -> None:
        person.asks = True

        def answered(status: int, raw: bytes) -> None:
            now = time.time()
            if status == 201:
                person.entered_at = now
                self.seen.entries.append(now)
                stays = min(60.0, random.expovariate(1 / CHOOSING_SECONDS))
                self.client.at(now + stays, lambda: self.leave(person, raw))
                return
            self.seen.full_answers += status == 429
            wait = float(raw.lower().partition(b"retry-after:")[2].partition(b"\r\n")[0] or 2)
            person.asks = False
            again = self.poll if self.seen.sold_out_at else self.enter
            self.client.at(now + max(1.0, wait) * random.uniform(0.75, 1.25), lambda: again(person))

        self.call(person, "admission", {"ticket": person.ticket}, answered)

    def leave(self, person: Person, raw: bytes) -> None:
        def left(status: int, raw: bytes) -> None:
            person.is_done = True

        if random.random() < SHARE_WHO_BUY:
            admission = json.loads(raw.partition(b"\r\n\r\n")[2])["admission"]
            body = {"admission": admission, "item": self.sale.items[0].id}
            self.call(person, "purchases", body, left)
        else:
            self.call(person, "admission", None, left)

    def watch(self) -> None:
        """Look at Redis itself: how many are inside, and whether the gate has reached nothing."""
        now = time.time()
        inside = store.client().zcount(key(self.sale.id, "active"), now * 1000, "+inf")
        self.seen.most_inside = max(self.seen.most_inside, int(inside))
        free = store.client().hget(key(self.sale.id, "gate"), f"free:{self.sale.items[0].id}")
        if free == "0" and self.seen.sold_out_at is None:
            self.seen.sold_out_at = now
        memory = line.remembered(self.sale)
        if memory is not None:
            self.seen.reasons.append((now, str(memory.reason)))
        self.client.at(now + 0.1, self.watch)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@contextmanager
def workers() -> Iterator[None]:
    """The demo's workers and beat, on the benchmark's servers."""
    _, *others = demo.programs(0, develop=False)
    log = (servers.HOME / "line-run.log").open("w")
    running = [
        subprocess.Popen(program.command, env=os.environ, stdout=log, stderr=log)
        for program in others
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(timeout=20)


def run(port: int) -> dict[str, Any]:
    """Send the crowd to the server at `port`; what was seen, by name."""
    random.seed(SEED)

    secret = _get_new_csrf_string()
    people = [
        Person(
            shopper=shopper,
            headers=f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            f"Accept: application/json\r\nContent-Type: application/json\r\nX-CSRFToken: {secret}\r\n"
            f"Cookie: shopper={shoppers.sign_cookie(shopper)}; csrftoken={secret}\r\n",
            comes=index % 2 == 0,
        )
        for index, shopper in enumerate(stage.shoppers()[:SHOPPERS])
    ]
    sale = stage.open_sale(units=UNITS, has_line=True)
    opens_at = timezone.now() + timedelta(seconds=LOBBY_SECONDS)
    Sale.objects.filter(pk=sale.id).update(
        opens_at=opens_at,
        queue_mode=Sale.QueueMode.DRAW,
        admission_cap=CAP,
        admissions_per_minute=PACE,
        hold_seconds=3600,
    )
    info = describe(Sale.objects.get(pk=sale.id))
    client, seen = Client(port), Seen()
    crowd = Run(client, info, people, seen)
    started = time.time()
    for person in people:
        is_early = random.random() < 0.9
        latest = LOBBY_SECONDS - 5 if is_early else LOBBY_SECONDS + LATE_SECONDS
        first = 2.0 if is_early else LOBBY_SECONDS + 1
        client.at(started + random.uniform(first, latest), lambda person=person: crowd.join(person))  # type: ignore[misc]
    crowd.watch()
    client.run(
        until=lambda: (
            time.time() - started > MOST_SECONDS
            or bool(seen.sold_out_at and time.time() > seen.sold_out_at + 15)
        )
    )
    return judge(people, seen, opens_at.timestamp())


def judge(people: list[Person], seen: Seen, opens_at: float) -> dict[str, Any]:
    entries = sorted(seen.entries)
    ends = seen.sold_out_at or entries[-1]
    minutes = []
    first = opens_at
    # While the units last: then they, and no longer the pace, say how many come.
    while first + 60 <= min([ends, *(at for at, reason in seen.reasons if reason == "units")]):
        minutes.append(sum(first <= at < first + 60 for at in entries))
        first += 60
    errors = []
    for person in people:
        if person.entered_at is None:
            continue
        fit = [
            (at, wait) for at, wait in person.estimates if person.entered_at - at >= SHORTEST_WAIT
        ]
        if fit:
            at, wait = random.choice(fit)
            errors.append(abs(wait - (person.entered_at - at)) / (person.entered_at - at))
    waiting = [
        person for person in people if person.comes and not person.entered_at and person.ticket
    ]
    late = sorted(
        person.knows_sold_out_at - seen.sold_out_at
        for person in waiting
        if seen.sold_out_at and person.knows_sold_out_at
    )
    return {
        "shoppers": len(people),
        "of whom never come": sum(not person.comes for person in people),
        "cap": CAP,
        "most inside": seen.most_inside,
        "target per minute": PACE,
        "served per minute": minutes,
        "told full at the door": seen.full_answers,
        "median error of the estimate": round(statistics.median(errors), 3) if errors else None,
        "estimates judged": len(errors),
        "waiting at the sell-out": len(waiting),
        "knew it within 3 s": round(sum(each <= 3.0 for each in late) / len(waiting), 4)
        if waiting
        else None,
        "slowest to know, s": round(late[-1], 2) if late else None,
        "answers": dict(sorted(seen.statuses.items())),
    }
