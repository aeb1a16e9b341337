"""From the click on Buy to the unit that is held, over real HTTP, in a shop that runs as the demo does.

Granian, the worker of the purchase queue, the other worker and beat are real; shoppers come by the clock and not when
the shop is ready for them, so a slow moment is seen by everybody who comes in it.
"""

import io
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx
from django.db import connections
from rest_framework.authtoken.models import Token

from bench import servers, stage, ways
from bench.figures import Figure, percentile
from bench.size import Size
from config import embedded
from config.demo import HOST, programs
from config.supervisor import Supervisor
from flashsale.sales import SaleInfo
from shop.models import User

#: Clicks on Buy a second: well below what the shop can take.
CLICKS_PER_SECOND = 20
#: Clicks before those that count: connections and copies are made at the first ones.
WARM_UP = 20
START_SECONDS = 60
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Click:
    """Milliseconds: until the shop says "held", and of these, from its 202 to the commit. The rest is the web's."""

    whole: float
    after_accepted: float


class ShopDidNotStartError(Exception):
    """The shop did not answer in time."""


def measure(size: Size) -> dict[str, Figure]:
    clicks = CLICKS_PER_SECOND * size.click_seconds
    times = _times(clicks)
    whole = [click.whole for click in times]
    engine = [click.after_accepted for click in times]
    return {
        "buy_to_held_p50_ms": _figure(whole, 50, at_most=150),
        "buy_to_held_p99_ms": _figure(whole, 99, at_most=1000),
        "accepted_to_held_p50_ms": _figure(engine, 50),
        "accepted_to_held_p99_ms": _figure(engine, 99),
    }


def _figure(times: list[float], percent: float, *, at_most: float | None = None) -> Figure:
    return Figure(
        value=percentile(times, percent),
        unit="ms",
        target=at_most,
        at_least=False,
        sides={"milliseconds": times},
    )


def _times(clicks: int) -> list[Click]:
    users = list(User.objects.order_by("pk")[: clicks + WARM_UP])
    Token.objects.bulk_create(
        (Token(user=user, key=uuid4().hex) for user in users), ignore_conflicts=True
    )
    tokens = list(Token.objects.filter(user__in=users).values_list("key", flat=True))
    stage.end_sales()
    sale = stage.open_sale(units=len(users))
    connections.close_all()
    port = _free_port()
    url = f"http://{HOST}:{port}"
    (embedded.VAR / "run").mkdir(exist_ok=True)  # where beat keeps its schedule
    with (servers.HOME / "log" / "shop.log").open("w") as log, redirect_stdout(io.StringIO()):
        supervisor = Supervisor(log)
        try:
            for program in programs(port, develop=False):
                supervisor.start(program)
            if not supervisor.run(until=lambda: _answers(url), seconds=START_SECONDS):
                raise ShopDidNotStartError(Path(log.name).read_text()[-2000:])
            with ThreadPoolExecutor(1) as pool:
                crowd = pool.submit(_click, url, sale, tokens)
                supervisor.run(until=crowd.done)
                return crowd.result()
        finally:
            supervisor.stop()


def _click(url: str, sale: SaleInfo, tokens: list[str]) -> list[Click]:
    """Every click, in the order in which they were made."""
    with (
        httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as http,
        ThreadPoolExecutor(64) as pool,
        ways.watching() as wait,
    ):
        for token in tokens[:WARM_UP]:  # the first of them also waits for the worker to be there
            _buy(http, sale, token, wait, time.perf_counter())
        starts = time.perf_counter()
        futures: list[Future[Click]] = []
        for index, token in enumerate(tokens[WARM_UP:]):
            due = starts + index / CLICKS_PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            futures.append(pool.submit(_buy, http, sale, token, wait, due))
        return [future.result() for future in futures]


def _buy(
    http: httpx.Client, sale: SaleInfo, token: str, wait: Callable[[UUID], bool], due: float
) -> Click:
    """Buy once. Whether the shop says "held" is asked when the purchase is settled, and not all the time before:
    twenty shoppers who ask forty times a second would be the load that is measured."""
    headers = {"Authorization": f"Token {token}", "Idempotency-Key": str(uuid4())}
    answer = http.post(
        f"/api/v1/sales/{sale.slug}/purchases/",
        json={"item": sale.items[0].id, "quantity": 1},
        headers=headers,
    )
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    accepted = time.perf_counter()
    purchase = UUID(answer.json()["id"])
    assert wait(purchase), "The claim was never settled."
    settled = time.perf_counter()
    answer = http.get(f"/api/v1/purchases/{purchase}/", headers=headers)
    assert answer.json()["state"] == "held", answer.text
    return Click(
        whole=round((time.perf_counter() - due) * 1000, 1),
        after_accepted=round((settled - accepted) * 1000, 1),
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
