"""Redis servers of a test's own, to be killed, paused, cut off and promoted."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from config.servers import redis_binary

#: Seconds within which a server has to start, or to do what it was told.
PATIENCE = 10.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class OwnRedis:
    """One server, its files in `directory`. The append-only file is written through at every command."""

    directory: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, socket_timeout=2, decode_responses=True)

    def start(self, *, replica_of: "OwnRedis | None" = None) -> None:
        if not self.port:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                self.port = listener.getsockname()[1]
        self.directory.mkdir(exist_ok=True)
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        words += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        words += ["--enable-debug-command", "yes"]
        if replica_of is not None:
            words += ["--replicaof", f"127.0.0.1 {replica_of.port}"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([redis_binary(), *words], stdout=log, stderr=log)
        until(self.answers)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def cut_log_short(self, *, share: float) -> None:
        """Lose the end of the append-only file, in the middle of a command."""
        newest = max((self.directory / "appendonlydir").glob("*.incr.aof"))
        with newest.open("r+b") as log:
            log.truncate(int(newest.stat().st_size * share))

    def follow(self, primary: "OwnRedis") -> None:
        self.start(replica_of=primary)
        until(lambda: self.client().info("replication")["master_link_status"] == "up")

    def has_caught_up(self, primary: "OwnRedis") -> bool:
        own = self.client().info("replication")["slave_repl_offset"]
        return bool(own >= primary.client().info("replication")["master_repl_offset"])
