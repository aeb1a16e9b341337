"""`make demo` and `make run`: the whole shop on this machine, with one log.

The demo sells made-up things from its own server processes, as in production, and sends a crowd to
the sale. `develop` runs the same parts over whatever the database holds, with a web server that
loads changed code. Both take the embedded servers, or those that the environment names.
"""

import fcntl
import http.client
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from config import embedded
from config.servers import EmbeddedServerError
from config.supervisor import BrokenProgramError, Program, Supervisor

VAR = embedded.VAR
HOST = "127.0.0.1"
READY_SECONDS = 60
#: Processes, a few more than this machine may have cores, and threads for Django in each: requests that wait for a
#: payment provider or a row must not keep all the others waiting.
WEB_WORKERS, WEB_THREADS = 3, 4
SIGN_INS = ("shopper@example.com", "merchant@example.com", "staff@example.com")


class DemoError(Exception):
    """The shop cannot run here; the message says why, and what to do."""


def open_shop(*, develop: bool) -> None:
    """Run the shop until Ctrl-C or SIGTERM.

    Raises `DemoError`, `EmbeddedServerError`, `BrokenProgramError`.
    """
    if os.environ.get("HOLDFAST_ENV") == "production":
        raise DemoError("HOLDFAST_ENV is production, and a real shop is no place for a demo.")
    os.environ["HOLDFAST_ENV"] = "development" if develop else "demo"
    os.environ["PYTHONUNBUFFERED"] = "1"
    port = _free_port_wanted()
    address = f"http://{HOST}:{port}"
    (VAR / "log").mkdir(parents=True, exist_ok=True)
    with _alone(address), (VAR / "log" / "demo.log").open("w") as log:
        supervisor = Supervisor(log)
        try:
            supervisor.say("Starting PostgreSQL and Redis, preparing the shop ...")
            _prepare(develop=develop)
            web, *others = programs(port, develop=develop)
            supervisor.start(web)
            # The others come a moment later: together they would all start slowly.
            ready = supervisor.run(until=lambda: _answers(port), seconds=READY_SECONDS)
            if not ready and not supervisor.stopping:
                raise DemoError(f"The shop did not answer within {READY_SECONDS} seconds.")
            if ready:
                supervisor.say(f"Ready: {address}/")
                for program in others:
                    supervisor.start(program)
            if ready and not develop:
                supervisor.say("Sign in, with the password demo, as:")
                for email in SIGN_INS:
                    supervisor.say(f"  {email}")
                supervisor.say(f"Mails are read at {address}/mailbox/")
                supervisor.start(crowd(address))
            supervisor.run()
        finally:
            supervisor.say("Stopping ...")
            supervisor.stop()


def web_server(port: int, *, workers: int = WEB_WORKERS, threads: int = WEB_THREADS) -> list[str]:
    """The module and the arguments that serve the shop."""
    command = ["granian", "--interface", "wsgi", "--no-ws", "--host", HOST, "--port", str(port)]
    # Its one warning would be about the number of workers, which is meant.
    command += ["--log-level", "error"]
    command += ["--workers", str(workers), "--blocking-threads", str(threads)]
    # Otherwise one that dies takes the others with it. Seconds.
    command += ["--respawn-failed-workers", "--respawn-interval", "0.5"]
    # Seconds. One that hangs must not use up the time that the supervisor gives them all.
    return [*command, "--workers-kill-timeout", "3", "config.wsgi:application"]


def programs(port: int, *, develop: bool) -> list[Program]:
    """The programs that make up the shop, the web server first."""
    runserver = [sys.executable, "manage.py", "runserver", f"{HOST}:{port}"]
    # Root is told six lines about itself; a container has no other user.
    warning = "ignore:You're running the worker with superuser privileges"
    celery = [sys.executable, "-W", warning, "-m", "celery", "--quiet", "--app", "config"]
    worker = [*celery, "worker", "--loglevel", "warning", "--concurrency", "2"]
    # They need nothing of one another: there is nothing to gossip about.
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--queues"]
    beat = [*celery, "beat", "--schedule", str(VAR / "run" / "beat-schedule"), "--pidfile", ""]
    granian = [sys.executable, "-m", *web_server(port)]
    return [
        Program("web", runserver if develop else granian, colour=36),
        # Claims and the line do not stand behind letters and payments.
        Program("sale", [*worker, "purchases,line", "--hostname", "sale@%h"], colour=34),
        Program("worker", [*worker, "celery", "--hostname", "worker@%h"], colour=33),
        Program("beat", [*beat, "--loglevel", "warning"], colour=35),
    ]


def crowd(address: str) -> Program:
    """The people who come to the sale; SHOPPERS says how many."""
    command = [sys.executable, "manage.py", "crowd", settings.DEMO_SALE, "--url", address]
    shoppers = os.environ.get("SHOPPERS") or "300"
    return Program("crowd", [*command, "--shoppers", shoppers], colour=32, once=True)


def _prepare(*, develop: bool) -> None:
    """Have servers, tables, and something to sell. In this process, which is quickest."""
    embedded.prepare_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    if not develop:
        call_command("seed_demo", fresh_sale=True)
    connections.close_all()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port_wanted() -> int:
    said = os.environ.get("PORT") or "8000"
    if not (said.isdecimal() and 0 < int(said) < 65536):
        raise DemoError(f"PORT is {said!r}: set it to a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(said)))
        except OSError as error:
            raise DemoError(
                f"Port {said} cannot be used here: {error.strerror}. "
                "Choose another, such as PORT=9000 make demo"
            ) from error
    return int(said)


@contextmanager
def _alone(address: str) -> Iterator[None]:
    """One shop at a time: two would share a database, a sale and its crowd."""
    path = VAR / "run" / "demo.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise DemoError(f"The shop runs already ({file.read()}): stop that first.") from error
        file.truncate(0)
        file.write(f"{address}/, process {os.getpid()}")
        file.flush()
        yield


def main(arguments: Sequence[str]) -> None:
    """`python -m config.demo [develop]`"""
    os.chdir(VAR.parent)
    try:
        open_shop(develop="develop" in arguments)
    except (DemoError, EmbeddedServerError, BrokenProgramError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
