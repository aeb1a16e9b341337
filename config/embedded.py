"""Real PostgreSQL and a real Redis-compatible server for development, the demo and tests.

Invariant: whoever called `ensure` finds the servers answering until it exits, and the last one to
exit stops them. Users are counted with a shared `flock` each, which the kernel takes back from a
killed process; starting and stopping happen under one exclusive `flock`, so nobody joins servers
that are being stopped. Servers whose users were all killed are adopted by the next run, and stopped
by its last user.

Nothing here imports Django: the settings ask this module for the URLs.
"""

import atexit
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import servers
from config.servers import EmbeddedServerError, Postgres, Redis

VAR = Path(__file__).resolve().parent.parent / "var"


class NotWritableError(EmbeddedServerError):
    """This user may not write to the servers' directory; has another user started them?"""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where the servers answer. An empty URL: this one does not run, or was not asked for."""

    database_url: str = ""
    redis_url: str = ""


def ensure(
    *, home: Path, durable: bool = True, postgres: bool = True, redis: bool = True
) -> Servers:
    """Start the servers of `home`, or adopt those that run there, and keep them until we exit.

    `durable=False`, for tests alone, gives up safety for speed. It says how to start a server, and
    changes nothing about one that runs. Raises `EmbeddedServerError`.
    """
    home = home.resolve()
    with _exclusively(home):
        _join(home)
        for wanted, server in ((postgres, Postgres(home)), (redis, Redis(home))):
            if wanted:
                server.ensure(durable=durable)
        return Servers(
            database_url=(postgres and Postgres(home).url()) or "",
            redis_url=(redis and Redis(home).url()) or "",
        )


def urls(home: Path) -> Servers | None:
    """Where the servers of `home` run now, or None. Starts nothing and connects to nothing."""
    home = home.resolve()
    database_url, redis_url = Postgres(home).url(), Redis(home).url()
    if database_url is None and redis_url is None:
        return None
    return Servers(database_url=database_url or "", redis_url=redis_url or "")


def stop(home: Path, *, erase: bool = False) -> None:
    """Stop the servers of `home`, whoever uses them; with `erase`, delete their data too."""
    home = home.resolve()
    if not home.exists():
        return
    with _exclusively(home):
        servers.stop([Postgres(home), Redis(home)])
        if erase:
            Postgres(home).erase()
            Redis(home).erase()


def prepare_environment(*, home: Path = VAR, durable: bool = True) -> None:
    """Start what DATABASE_URL and REDIS_URL do not name, and name it there, for our children too.

    The broker and the caches get databases of their own on our server. In production nothing is
    started: the settings refuse to go on without the URLs.
    """
    postgres, redis = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if os.environ.get("HOLDFAST_ENV") == "production" or not (postgres or redis):
        return
    running = ensure(home=home, durable=durable, postgres=postgres, redis=redis)
    names = {"DATABASE_URL": running.database_url} if postgres else {}
    if redis:
        base = running.redis_url.removesuffix("/0")
        names |= {"REDIS_URL": f"{base}/0", "BROKER_URL": f"{base}/1", "CACHE_URL": f"{base}/2"}
    os.environ.update({name: url for name, url in names.items() if not os.environ.get(name)})


#: By home: the process that joined its users, and the descriptor that holds its shared lock.
_joined: dict[Path, tuple[int, int]] = {}


def _join(home: Path) -> None:
    process, descriptor = _joined.get(home, (0, -1))
    if process == os.getpid():
        return
    if process:  # We were forked since, and that place in the count is our parent's.
        os.close(descriptor)
    descriptor = _open(home / "run" / "users.lock")
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _joined[home] = (os.getpid(), descriptor)
    atexit.register(_leave, home)


def _leave(home: Path) -> None:
    process, descriptor = _joined[home]
    users = home / "run" / "users.lock"
    if process != os.getpid() or not users.exists():
        return
    with _exclusively(home):
        # Opened again, not upgraded: children that we forked keep our place in the count.
        os.close(descriptor)
        descriptor = _open(users)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            servers.stop([Postgres(home), Redis(home)])
        finally:
            os.close(descriptor)


@contextmanager
def _exclusively(home: Path) -> Iterator[None]:
    """Nobody else starts, joins or stops the servers of `home` meanwhile."""
    descriptor = _open(home / "run" / "start.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Said aloud: a child that another thread forked meanwhile holds the descriptor too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise NotWritableError(path.parent.parent) from error


def main(arguments: Sequence[str]) -> None:
    """`python -m config.embedded status | stop | erase`, for people."""
    homes = [VAR, VAR / "test"]
    match list(arguments):
        case ["status"]:
            for home in homes:
                print(f"{home}: {urls(home) or 'nothing runs'}")
        case ["stop"]:
            for home in homes:
                stop(home)
        case ["erase"]:
            for home in reversed(homes):
                stop(home, erase=True)
        case _:
            sys.exit("Usage: python -m config.embedded status | stop | erase")


if __name__ == "__main__":
    main(sys.argv[1:])
