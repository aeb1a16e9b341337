"""The held connection of the scripts, on a Redis of its own that is slow, restarted or forgets."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from config.servers import redis_binary, wait
from flashsale import breaker, store
from flashsale.gate import Answer
from shop.breakers import Breaker

#: Milliseconds; longer than a script may take, so that the reply is late.
PAUSE = 400


@dataclass
class Server:
    """A Redis on one port, started again with nothing in it."""

    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def admin(self) -> Any:
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> None:
        command = [
            str(redis_binary()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]
        self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        assert wait(self.answers, seconds=10)

    def answers(self) -> bool:
        with self.admin as admin:
            try:
                return bool(admin.ping())
            except redis.ConnectionError:
                return False

    def stop(self) -> None:
        process = self.processes.pop()
        process.terminate()
        process.wait(timeout=10)

    def pause(self) -> None:
        with self.admin as admin:
            admin.client_pause(PAUSE)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Server]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = Server(port=listener.getsockname()[1])
    server.start()
    settings.REDIS_URL = f"redis://127.0.0.1:{server.port}/0"
    monkeypatch.setattr(store, "_held", threading.local())
    # Who comes next tries again; the tests of the rest itself have a longer one.
    monkeypatch.setattr(breaker, "calls", Breaker(first_rest=0.0))
    store._pool.cache_clear()
    store.client.cache_clear()
    yield server
    store._pool.cache_clear()
    store.client.cache_clear()
    if server.processes:
        server.stop()


def join(shopper: str) -> int:
    """The number that a shopper has in a line of its own, from 1."""
    number, _ = store.run("join", keys=["{sale:1}:numbers", "{sale:1}:last"], args=[shopper, 0, 0])
    return int(number)


def test_an_answer_that_comes_too_late_is_never_taken_for_the_answer_to_another_call(
    server: Server,
) -> None:
    assert [join("ada"), join("grace")] == [1, 2]
    server.pause()
    with pytest.raises(redis.TimeoutError):
        join("ada")
    time.sleep(PAUSE / 1000)
    assert join("grace") == 2


def test_the_control_a_connection_that_is_kept_after_a_time_out_gives_the_late_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [join("ada"), join("grace")] == [1, 2]
    monkeypatch.setattr(store._held_connection(), "disconnect", lambda *args, **kwargs: None)
    server.pause()
    with pytest.raises(redis.TimeoutError):
        join("ada")
    time.sleep(PAUSE / 1000)
    assert join("grace") == 1  # ada's


def test_a_call_that_something_interrupts_gives_its_connection_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question and its answer: a signal may raise anything anywhere."""
    assert [join("ada"), join("grace")] == [1, 2]
    with monkeypatch.context() as patch:
        patch.setattr(store._held_connection(), "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            join("ada")
    assert join("grace") == 2


def interrupted() -> None:
    raise KeyboardInterrupt


def test_a_time_out_is_short(server: Server) -> None:
    join("ada")
    server.pause()
    started = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        join("ada")
    assert 0.2 < time.monotonic() - started < PAUSE / 1000


def test_a_restarted_server_is_connected_to_again_and_gets_the_script_again(
    server: Server,
) -> None:
    assert join("ada") == 1
    server.stop()
    server.start()
    assert join("grace") == 1


def test_a_server_that_is_away_is_said_to_be_away(server: Server) -> None:
    join("ada")
    server.stop()
    with pytest.raises(redis.ConnectionError):
        join("ada")


def test_a_script_that_fails_says_so_and_the_next_call_is_answered(server: Server) -> None:
    with server.admin as admin:
        admin.set("{sale:1}:numbers", "no hash")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        join("ada")
    connection = store._held_connection()
    assert connection.is_connected
    assert Answer.LOST in store.run("claim", keys=list("abcde"), args=[0, "x", 1, 1, "y", 1, 1, 0])
    assert store._held_connection() is connection


def test_every_thread_has_a_connection_of_its_own(server: Server) -> None:
    connections = {id(store._held_connection())}
    answers = []

    def work(shopper: str) -> None:
        connections.add(id(store._held_connection()))
        answers.append({join(shopper) for _ in range(50)})

    threads = [threading.Thread(target=work, args=[name]) for name in ("ada", "grace", "joan")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(connections) == 4
    assert sorted(answers, key=min) == [{1}, {2}, {3}]


def test_a_forked_child_does_not_speak_over_its_parents_connection(server: Server) -> None:
    assert join("ada") == 1
    connection = store._held_connection()
    child = os.fork()
    if child == 0:
        os._exit(0 if store._held_connection() is not connection and join("ada") == 1 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store._held_connection() is connection
    assert join("grace") == 2


# While it is away


def seconds_of_ten_calls() -> float:
    """Scripts of a click and commands of the client in turns, none of which is answered."""
    started = time.monotonic()
    for number in range(10):
        with pytest.raises(redis.RedisError):
            join("ada") if number % 2 else store.client().get("line")
    return time.monotonic() - started


@pytest.fixture
def hung(server: Server, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Server]:
    """A server that takes connections and says nothing."""
    settings.REDIS_TIMEOUT_SECONDS = settings.HOT_REDIS_TIMEOUT_SECONDS = 0.1
    join("ada")
    store.client().ping()
    monkeypatch.setattr(breaker, "calls", Breaker(first_rest=60.0, longest_rest=60.0))
    server.processes[0].send_signal(signal.SIGSTOP)
    yield server
    server.processes[0].send_signal(signal.SIGCONT)


def test_a_server_that_hangs_costs_one_time_out_and_not_one_a_call(hung: Server) -> None:
    assert seconds_of_ten_calls() < 0.3


def test_the_control_without_a_rest_each_call_waits(
    hung: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker.calls, "failed", lambda: None)
    assert seconds_of_ten_calls() > 0.9


def test_after_a_rest_one_caller_tries_and_then_everybody_may(hung: Server) -> None:
    seconds_of_ten_calls()
    hung.processes[0].send_signal(signal.SIGCONT)
    with pytest.raises(redis.ConnectionError, match="a moment ago"):
        join("grace")
    breaker.calls._rests_until = 0
    assert store.client().ping()
    assert join("grace") == 2
