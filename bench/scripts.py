"""The claim script against two of its size, one that does nothing and one that only writes what a claim has to write;
and our way of calling it against a bare socket.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from bench import stage
from bench.bare import BareSocket
from bench.figures import Figure, median_of, ratio, take_turns
from bench.size import Size
from flashsale import gate, store
from flashsale.keys import Name, key
from flashsale.sales import SaleInfo

#: Connections that call at the same time, each waiting for its answer.
CONNECTIONS = 50
#: Processes of our own client where redis-benchmark is missing.
PROCESSES = 2
#: Calls in one pipeline of the figure that leaves the network out.
PIPELINE = 200
#: Calls over the one connection of one round.
CALLS_OF_ONE = 3000
KEYS: tuple[Name, ...] = ("gate", "takers", "claims", "active")
#: redis-benchmark puts twelve digits here. A purchase is as long as a real one.
RANDOM_ID = "00000007-0000-8000-8000-__rand_int__"

#: What stands in front of padding that makes the scripts as long as the claim script.
NOTHING = "return {'queued', ARGV[5], 0}\n--"
#: The gate, the taker and the queue, without a look at any of them.
WRITES = (
    """
redis.call('HINCRBY', KEYS[1], 'free:' .. ARGV[3], -ARGV[4])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4] .. ' ' .. ARGV[5])
redis.call('XADD', KEYS[3], '*', 'purchase', ARGV[5], 'shopper', ARGV[2], 'item', ARGV[3],
  'quantity', ARGV[4], 'at', ARGV[1])
"""
    + NOTHING
)


def measure(size: Size) -> dict[str, Figure]:
    sides: dict[str, Callable[[], float]] = {
        "claim_script": partial(_on_the_server, size, _claim_source()),
        "noop_script": partial(_on_the_server, size, _padded(NOTHING)),
        "writing_script": partial(_on_the_server, size, _padded(WRITES)),
        "claim_script_pipelined": partial(_pipelined, _claim_source()),
        "noop_script_pipelined": partial(_pipelined, _padded(NOTHING)),
        "gate_claim": _through_the_gate,
        "bare_socket": _through_a_socket,
    }
    figures = take_turns(sides, rounds=size.rounds)
    return {
        "claim_script_vs_noop_script": ratio(figures, "claim_script", "noop_script", target=0.9),
        "writing_script_vs_noop_script": ratio(figures, "writing_script", "noop_script"),
        "claim_script_vs_writing_script": ratio(figures, "claim_script", "writing_script"),
        "claim_script_vs_noop_script_pipelined": ratio(
            figures, "claim_script_pipelined", "noop_script_pipelined"
        ),
        "claim_vs_bare_socket": ratio(figures, "gate_claim", "bare_socket", target=0.7),
        "claim_script_per_second": median_of(figures, "claim_script", unit="per s"),
    }


def time_sync(size: Size) -> list[dict[str, float]]:
    """Milliseconds that `sync` keeps Redis from everybody else, by the length of the queue."""
    rows = []
    for length in size.queue_lengths:
        sale = stage.open_sale(units=length)
        _queue(sale, number=length)
        client = store.client()
        client.slowlog_reset()
        usual = client.config_get("slowlog-log-slower-than")
        client.config_set("slowlog-log-slower-than", 0)
        for _ in range(5):
            gate.sync(sale, now=timezone.now())
        client.config_set("slowlog-log-slower-than", usual["slowlog-log-slower-than"])
        digest = str(store.script("sync").sha)
        took = [row["duration"] for row in client.slowlog_get(500) if digest in _text(row)]
        rows.append({"queued": length, "milliseconds": sorted(took)[len(took) // 2] / 1000})
        forget(sale)
    return rows


def _text(row: dict[str, object]) -> str:
    command = row["command"]
    return command.decode() if isinstance(command, bytes) else str(command)


def _queue(sale: SaleInfo, *, number: int) -> None:
    """Claims through the script itself, by shoppers who need no account because nothing settles them."""
    _pipeline(sale, _claim_source(), number=number)


def forget(sale: SaleInfo) -> None:
    store.client().delete(*[key(sale.id, name) for name in KEYS])


def _claim_source() -> str:
    return str(store.script("claim").script)


def _padded(source: str) -> str:
    return source + "x" * (len(_claim_source().encode()) - len(source))


def _words(sale: SaleInfo, *, shopper: str, purchase: str) -> list[str]:
    """KEYS and ARGV of `claim.lua`, after their number."""
    arguments = [gate.milliseconds(timezone.now()), shopper, sale.items[0].id, 1, purchase]
    arguments += [gate.BELL_MILLISECONDS, gate.STALE_SECONDS, 0]
    keys = [key(sale.id, name) for name in KEYS]
    return [str(len(keys)), *keys, *[str(value) for value in arguments]]


def _on_the_server(size: Size, source: str) -> float:
    """Calls per second that the server answers to many connections, without pipelines."""
    sale = stage.open_sale(units=2 * size.calls)
    digest = str(store.client().script_load(source))
    command = ["EVALSHA", digest, *_words(sale, shopper=RANDOM_ID, purchase=RANDOM_ID)]
    rate = _redis_benchmark(size.calls, command)
    taken = int(store.client().xlen(key(sale.id, "claims")))
    # Two shoppers of some thousands draw the same number now and then, and the second claim is a repetition.
    is_idle = source.startswith(NOTHING)
    assert is_idle or taken > size.calls * 0.99, f"Only {taken} claims were taken."
    forget(sale)
    return rate


def _redis_benchmark(calls: int, command: list[str]) -> float:
    server = urlsplit(settings.REDIS_URL)
    host, port, password = server.hostname or "", str(server.port), server.password or ""
    program = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if program is None:
        return _own_benchmark([host, port, password], calls, command)
    options = ["-h", host, "-p", port, "-n", str(calls), "-c", str(CONNECTIONS)]
    options += ["-a", password, "-r", str(10**9), "-q"]
    ran = subprocess.run(
        [program, *options, *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return float(re.findall(r"([\d.]+) requests per second", ran.stdout)[-1])


def _own_benchmark(server: list[str], calls: int, command: list[str]) -> float:
    per_process = [str(CONNECTIONS // PROCESSES), str(calls // PROCESSES)]
    program = [sys.executable, "-m", "bench.bare", *server, *per_process, *command]

    def run(_: int) -> float:
        ran = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
        return float(ran.stdout)

    with ThreadPoolExecutor(PROCESSES) as pool:
        return calls / max(pool.map(run, range(PROCESSES)))


def _pipelined(source: str) -> float:
    """The same without the network: what Lua and the data structures cost."""
    sale = stage.open_sale(units=CALLS_OF_ONE)
    rate = _pipeline(sale, source, number=CALLS_OF_ONE)
    forget(sale)
    return rate


def _pipeline(sale: SaleInfo, source: str, *, number: int) -> float:
    client = store.client()
    digest = client.script_load(source)
    calls = [_words(sale, shopper=str(uuid4()), purchase=str(uuid4())) for _ in range(number)]
    started = time.perf_counter()
    for first in range(0, number, PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for words in calls[first : first + PIPELINE]:
            pipeline.execute_command("EVALSHA", digest, *words)
        pipeline.execute()
    return number / (time.perf_counter() - started)


def _through_the_gate() -> float:
    """Claims per second of one process over one connection, as the shop makes them."""
    sale = stage.open_sale(units=CALLS_OF_ONE)
    known = [(uuid4(), uuid4()) for _ in range(CALLS_OF_ONE)]
    started = time.perf_counter()
    for shopper, purchase in known:
        gate.claim(
            sale_id=sale.id,
            shopper=shopper,
            item=sale.items[0].id,
            quantity=1,
            purchase=purchase,
            now=timezone.now(),
        )
    rate = CALLS_OF_ONE / (time.perf_counter() - started)
    forget(sale)
    return rate


def _through_a_socket() -> float:
    sale = stage.open_sale(units=CALLS_OF_ONE)
    bare = BareSocket.of_url(settings.REDIS_URL)
    digest = str(store.script("claim").sha)
    calls = [
        [
            word.encode()
            for word in (
                "EVALSHA",
                digest,
                *_words(sale, shopper=str(uuid4()), purchase=str(uuid4())),
            )
        ]
        for _ in range(CALLS_OF_ONE)
    ]
    started = time.perf_counter()
    for words in calls:
        bare.call(words)
    rate = CALLS_OF_ONE / (time.perf_counter() - started)
    bare.close()
    forget(sale)
    return rate
