"""A process of the shop that is told line by line what to do, and answers in lines."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from pytest_django import DjangoDbBlocker

from tests.stack import PYTHON, ROOT, database_url


@contextmanager
def child(module: str, blocker: DjangoDbBlocker) -> Iterator[tuple[IO[str], IO[str]]]:
    """`python -m MODULE` on the tests' database, once it is ready: where to write to, and where to read from."""
    with blocker.unblock():
        environment = os.environ | {"DATABASE_URL": database_url()}
    process = subprocess.Popen(
        [PYTHON, "-m", module],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process.stdin, process.stdout
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    process.stdout.close()
