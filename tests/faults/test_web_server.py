"""What one request or one process of the web server does to the others: as little as may be.

Requests that wait for something, such as a row or a payment provider, leave the others a thread; a process that dies
takes no other with it.
"""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
from django.db import connection, transaction

from config import demo
from tests.clicks import open_sale
from tests.factories import make_user
from tests.stack import Stack, wait_for

PROCESSES = 2
#: As many as one process may have in hand while it still answers.
WAITING = demo.WEB_THREADS - 1
#: Seconds; less than PostgreSQL lets anybody wait for a row.
PATIENCE = 2.0


def number_that_wait() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass",
            ["shop_user"],
        )
        return int(cursor.fetchone()[0])


def is_answered_meanwhile(stack: Stack, *, threads: int) -> bool:
    """Whether a poll of the line is answered while others wait for the accounts, in one process of the web server."""
    stack.stop("web")
    stack.start_web(workers=1, threads=threads)
    sale, user = open_sale(units=1), make_user()
    poll = f"{stack.url}/api/v1/sales/{sale.slug}/line/"
    assert httpx.get(poll).status_code == 200

    def sign_in() -> int:
        known = {"email": user.email, "password": "demo"}
        return httpx.post(f"{stack.url}/api/v1/auth/token/", json=known, timeout=20).status_code

    with ThreadPoolExecutor(WAITING) as people:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE shop_user IN ACCESS EXCLUSIVE MODE")
            waiting = [people.submit(sign_in) for _ in range(WAITING)]
            wait_for(
                lambda: number_that_wait() >= min(WAITING, threads),
                what="requests that wait for the lock",
                stack=stack,
            )
            try:
                is_answered = httpx.get(poll, timeout=PATIENCE).status_code == 200
            except httpx.TimeoutException:
                is_answered = False
        assert [each.result() for each in waiting] == [200] * WAITING
    return is_answered


def test_who_waits_for_the_database_does_not_keep_those_in_line_waiting(stack: Stack) -> None:
    assert is_answered_meanwhile(stack, threads=demo.WEB_THREADS)


def test_the_control_with_one_thread_everybody_waits(stack: Stack) -> None:
    assert not is_answered_meanwhile(stack, threads=1)


def processes_of(web: subprocess.Popen[bytes]) -> list[int]:
    """Those that answer: the children of the one that was started, as Linux lists them (proc(5))."""
    known = [path for path in Path("/proc").glob("[0-9]*/stat") if parent_in(path) == web.pid]
    return [int(path.parent.name) for path in known]


def parent_in(stat: Path) -> int | None:
    with suppress(OSError):  # it has just ended
        return int(stat.read_text().rpartition(")")[2].split()[1])
    return None


def failures_after_a_death(stack: Stack, *more: str) -> int:
    """Requests of two seconds that nobody answered, after one of the processes was killed."""
    stack.stop("web")
    web = stack.start_web(*more, workers=PROCESSES)
    wait_for(lambda: len(processes_of(web)) == PROCESSES, what="its processes", stack=stack)
    os.kill(processes_of(web)[0], signal.SIGKILL)
    failures = 0
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        try:
            failures += httpx.get(f"{stack.url}/healthz/live", timeout=5).status_code != 200
        except httpx.TransportError:
            failures += 1
        time.sleep(0.02)
    if web.poll() is None:
        wait_for(lambda: len(processes_of(web)) == PROCESSES, what="another process", stack=stack)
    return failures


def test_a_process_that_dies_is_replaced_and_the_others_go_on(stack: Stack) -> None:
    assert failures_after_a_death(stack) <= 1  # what came in at that very moment


def test_the_control_a_server_that_replaces_none_ends_with_the_first(stack: Stack) -> None:
    assert failures_after_a_death(stack, "--no-respawn-failed-workers") > 10
