"""A web server to measure, and a generator of load for it: many connections of one process, on loopback alone.

Requests are bytes made beforehand, and connections are kept: as little of the machine as possible goes into asking.
"""

import os
import selectors
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config import demo

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 64
#: Seconds that a server may take to start, and that one round may last.
START_SECONDS, ROUND_SECONDS = 40.0, 60.0


@dataclass
class Driven:
    """How fast requests were answered, per second, and with which statuses."""

    rate: float
    statuses: Counter[int]


@dataclass
class _Connection:
    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)


class NotAnsweredError(Exception):
    """The server closed a connection, or took too long."""


@contextmanager
def granian(*, environment: dict[str, str]) -> Iterator[int]:
    """Serve the shop as the demo does, with the benchmark's settings; gives the port."""
    with socket.socket() as listener:
        listener.bind((demo.HOST, 0))
        port = int(listener.getsockname()[1])
    web, *_ = demo.programs(port, develop=False)
    command = [*web.command[:-1], "bench.wsgi:application"]
    settings = {"DJANGO_SETTINGS_MODULE": "bench.settings"}
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings | environment)
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def drive(*, port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Driven:
    """Send every request once, the next on a connection when the one before it is answered.

    Raises:
        NotAnsweredError: not all of them were answered within `ROUND_SECONDS`.
    """
    statuses: Counter[int] = Counter()
    waiting = iter(requests)
    opened = [
        _Connection(socket.create_connection((demo.HOST, port)))
        for _ in range(min(connections, len(requests)))
    ]
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for connection in opened:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.socket.sendall(next(waiting))
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        while statuses.total() < len(requests):
            ready = selector.select(timeout=5)
            if not ready or time.perf_counter() - started > ROUND_SECONDS:
                raise NotAnsweredError(f"{statuses.total()} of {len(requests)} were answered")
            for item, _ in ready:
                connection = item.data
                status = _read(connection)
                if status:
                    statuses[status] += 1
                    if (request := next(waiting, None)) is not None:
                        connection.socket.sendall(request)
        seconds = time.perf_counter() - started
    for connection in opened:
        connection.socket.close()
    return Driven(rate=len(requests) / seconds, statuses=statuses)


def look(port: int, path: str, count: int) -> float:
    """Answers per second of a page that anybody may read."""
    request = f"GET {path} HTTP/1.1\r\nHost: {demo.HOST}:{port}\r\nAccept: */*\r\n\r\n"
    driven = drive(port=port, requests=[request.encode()] * count)
    assert driven.statuses == {200: count}, driven.statuses
    return driven.rate


def _read(connection: _Connection) -> int:
    """The status of a whole answer, or 0 while some of it is missing."""
    part = connection.socket.recv(65536)
    if not part:
        raise NotAnsweredError("the server closed a connection")
    connection.received += part
    head, found, body = bytes(connection.received).partition(b"\r\n\r\n")
    if not found:
        return 0
    said = head.lower()
    if b"transfer-encoding: chunked" in said:
        is_whole = body.endswith(b"0\r\n\r\n")
    else:
        length = said.partition(b"content-length:")[2].partition(b"\r\n")[0]
        is_whole = len(body) >= int(length or 0)
    if not is_whole:
        return 0
    connection.received.clear()
    return int(head[9:12])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    request = f"GET /bench/empty/ HTTP/1.1\r\nHost: {demo.HOST}:{port}\r\n\r\n".encode()
    while True:
        try:
            if drive(port=port, requests=[request]).statuses[200]:
                return
        except (OSError, NotAnsweredError):
            pass
        if time.monotonic() > deadline:
            raise NotAnsweredError(f"the server did not start within {START_SECONDS:.0f} seconds")
        time.sleep(0.1)
