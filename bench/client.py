"""A process full of clients: `python -m bench.client` says that it is ready, then answers each line, a job, with one.

A client is a thread that buys for one shopper after another, each time from the click until the unit is held, until
it hears "sold out" or its time is over. Threads share the process's database connections, `CONNECTIONS` of them: a
client may have to wait for one, and its time says so.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypedDict
from uuid import UUID

import django
from django.conf import settings

#: Database connections of one process at the most. Four processes stay below the server's 200.
CONNECTIONS = 40


class Job(TypedDict):
    way: str
    sale: str
    #: Threads of this process.
    clients: int
    #: The shoppers of this process, as a range of `stage.shoppers()`.
    first: int
    last: int
    #: When all processes start, by `time.time()`, and for how many seconds their clients come.
    starts: float
    seconds: float


@dataclass
class Tally:
    """What the clients of a process met. Appending and adding happen under the interpreter's lock or ours."""

    milliseconds: list[float] = field(default_factory=list)
    busy: int = 0
    ended: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def held(self, started: float) -> None:
        with self.lock:
            self.ended = time.time()
            self.milliseconds.append(round((self.ended - started) * 1000, 2))

    def was_busy(self) -> None:
        with self.lock:
            self.busy += 1


#: Buys for a shopper: "held", "sold_out", or "busy" (the shopper clicks again).
Way = Callable[[UUID], str]


def work(job: Job) -> dict[str, object]:
    from bench import stage, ways  # noqa: PLC0415 -- after django.setup()

    tally = Tally()
    shoppers = iter(stage.shoppers()[job["first"] : job["last"]])
    deadline = job["starts"] + job["seconds"]
    with ways.named(job["way"], sale_slug=job["sale"]) as way:
        time.sleep(max(0.0, job["starts"] - time.time()))
        with ThreadPoolExecutor(job["clients"]) as pool:
            for _ in range(job["clients"]):
                pool.submit(_be_a_client, way.buy, shoppers, tally, deadline).add_done_callback(
                    lambda future: future.result()
                )
        return {
            "milliseconds": tally.milliseconds,
            "busy": tally.busy,
            "retries": way.retries(),
            "ended": tally.ended,
        }


def _be_a_client(buy: Way, shoppers: Iterator[UUID], tally: Tally, deadline: float) -> None:
    from django.db import connection  # noqa: PLC0415 -- after django.setup()

    for shopper in shoppers:
        started = time.time()
        while (outcome := buy(shopper)) == "busy" and time.time() < deadline:
            tally.was_busy()
        connection.close()  # back to the pool
        if outcome == "held":
            tally.held(started)
        if outcome == "sold_out" or time.time() >= deadline:
            return


def main() -> None:
    database = settings.DATABASES["default"]
    pool = {"min_size": 0, "max_size": CONNECTIONS, "timeout": 60}
    database |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}
    database["OPTIONS"]["pool"] = pool
    django.setup()
    from bench import stage  # noqa: PLC0415 -- after django.setup()

    print(json.dumps(len(stage.shoppers())), flush=True)
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
