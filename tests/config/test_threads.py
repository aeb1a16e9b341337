"""Threads of the web server come and go; their sessions in PostgreSQL go with them."""

import gc
import threading
import warnings
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from config import threads
from config.servers import wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """As in a quiet shop, where it comes by once in hours."""
    gc.disable()
    yield
    gc.enable()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of what the control left open
        gc.collect()


def session_of_a_thread_that_ended() -> int:
    """The process of PostgreSQL that served a thread."""
    served_by: list[int] = []

    def work() -> None:
        connection.ensure_connection()
        served_by.append(connection.connection.info.backend_pid)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return served_by[0]


def is_there(session: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [session])
        return bool(cursor.rowcount)


def test_the_session_of_a_thread_that_ended_is_closed() -> None:
    connection_created.connect(threads.guard)
    try:
        session = session_of_a_thread_that_ended()
    finally:
        connection_created.disconnect(threads.guard)
    assert wait(lambda: not is_there(session), seconds=2)


def test_the_control_without_the_guard_the_session_stays() -> None:
    session = session_of_a_thread_that_ended()
    assert not wait(lambda: not is_there(session), seconds=0.3)
