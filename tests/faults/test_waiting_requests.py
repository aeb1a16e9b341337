"""Requests that wait for something, such as a row or a payment provider, leave the others a thread."""

from concurrent.futures import ThreadPoolExecutor

import httpx
from django.db import connection, transaction

from config import demo
from tests.clicks import open_sale
from tests.factories import make_user
from tests.stack import Stack, wait_for

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
