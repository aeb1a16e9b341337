"""A whole running shop for tests: Granian, a Celery worker and beat, as in production, on a free port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dj_database_url
import httpx
import pytest
import redis
from django.conf import settings
from django.db import connection

from config import demo
from tests.emptying import empty_database

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
#: Seconds that a part of the shop may take to start.
START_SECONDS = 40


@dataclass
class Stack:
    url: str
    directory: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [PYTHON, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_web(
        self, *more: str, workers: int = 2, threads: int = demo.WEB_THREADS
    ) -> subprocess.Popen[bytes]:
        """As the demo does; `more` are further options of Granian."""
        port = int(self.url.rpartition(":")[2])
        web = self.start("web", *demo.web_server(port, workers=workers, threads=threads), *more)
        wait_for(lambda: _answers(f"{self.url}/healthz/ready"), what="the web server", stack=self)
        return web

    def start_worker(self, name: str = "worker") -> subprocess.Popen[bytes]:
        return self.start(
            name, "celery", "-A", "config", "worker", "--concurrency", "2", "--loglevel", "WARNING",
            "--queues", "celery,purchases,line", "--hostname", f"{name}@test", "--without-mingle",
            "--without-gossip",
        )  # fmt: skip

    def start_beat(self) -> None:
        schedule = str(self.directory / "beat-schedule")
        self.start("beat", "celery", "-A", "config", "beat", "--schedule", schedule)

    def stop(self, name: str, sign: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, sign)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")


def both_ways(**environment: str) -> pytest.MarkDecorator:
    """For the modules whose clicks on Buy are to go both ways: in front of Django, and through it (by `make soak`).

    That both give the same answers is tested without a running shop, in `tests/flashsale/test_express*.py`.
    """
    return pytest.mark.parametrize(
        "stack",
        [
            pytest.param({"EXPRESS_ROUTE": "true"} | environment, id="express"),
            pytest.param(
                {"EXPRESS_ROUTE": "false"} | environment, id="django", marks=pytest.mark.soak
            ),
        ],
        indirect=True,
        scope="module",
    )


@contextmanager
def running_stack(environment: dict[str, str]) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="holdfast-stack-") as directory:
        for url in {settings.REDIS_URL, settings.BROKER_URL, settings.CACHE_URL}:
            with redis.Redis.from_url(url) as client:
                client.flushdb()
        url = f"http://127.0.0.1:{_free_port()}"
        stack = Stack(
            url=url,
            directory=Path(directory),
            environment=os.environ
            | {
                "DATABASE_URL": database_url(),
                "HOLDFAST_ENV": "test",
                "SITE_URL": url,
                "PYTHONUNBUFFERED": "1",
                "MEDIA_ROOT": str(Path(directory) / "media"),
                "EMAIL_FILE_PATH": str(Path(directory) / "mail"),
            }
            | environment,
        )
        try:
            stack.start_worker()
            stack.start_beat()
            stack.start_web()
            yield stack
        finally:
            for name in list(stack.processes):
                stack.stop(name)
            try:
                # A program is gone before the last of its children is, and with it their sessions.
                wait_for(
                    _is_left_alone, what="all other sessions of its database to end", stack=stack
                )
            finally:
                empty_database()
                connection.close()


def wait_for(
    condition: Callable[[], object], *, what: str, seconds: float = START_SECONDS, stack: Stack
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            logs = "\n".join(stack.log(name)[-3000:] for name in stack.processes)
            raise AssertionError(f"Waited {seconds} s for {what}.\n{logs}")
        time.sleep(0.05)


def _is_left_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return bool(cursor.fetchone() == (0,))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def database_url() -> str:
    own = connection.settings_dict
    known = dj_database_url.parse(os.environ["DATABASE_URL"])
    assert (own["HOST"], own["PORT"]) == (known["HOST"], known["PORT"])
    head, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    return f"{head}/{own['NAME']}"
