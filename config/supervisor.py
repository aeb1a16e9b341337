"""Starts the programs of the shop, passes on what they say, and ends them.

Invariant: no program outlives the supervisor. Each leads a session of its own, so that its whole
group can be ended; on Linux the kernel ends the programs of a killed supervisor too.

One thread, one loop: it reads what the programs say, and looks after them between two lines.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

#: With the embedded servers' own stop after it, this stays below the ten seconds that are promised.
STOP_SECONDS = 6.0
#: A program that dies more often than this is broken, not unlucky.
RESTARTS = 3
PR_SET_PDEATHSIG = 1


class BrokenProgramError(Exception):
    """A program died again and again."""


@dataclass(eq=False)
class Program:
    """One of the shop's programs. It is started again when it dies, unless it runs `once`."""

    name: str
    command: Sequence[str]
    colour: int
    once: bool = False
    restarts: int = 0
    unfinished: bytes = b""
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    def __init__(self, log: IO[str]) -> None:
        self.log = log
        self.colourful = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.stopping = False
        self.programs: list[Program] = []
        self.selector = selectors.DefaultSelector()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)

    def _asked_to_stop(self, *_: object) -> None:
        first, self.stopping = not self.stopping, True
        if first and not self.programs:  # Nothing to end in order; what we do may take long.
            sys.exit(0)

    def say(self, line: str, program: Program | None = None) -> None:
        label = f"{program.name:<6} | " if program else ""
        self.log.write(f"{label}{line}\n")
        self.log.flush()
        if program and self.colourful:
            label = f"\x1b[{program.colour}m{label}\x1b[0m"
        with suppress(BrokenPipeError):  # Whoever read us is gone; the file has it all.
            print(f"{label}{line}", flush=True)

    def start(self, program: Program) -> None:
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as output:
            program.process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        if program not in self.programs:
            self.programs.append(program)
        self.selector.register(reading, selectors.EVENT_READ, program)

    def listen(self, seconds: float) -> None:
        """Pass on what the programs say, for at most this long."""
        for key, _ in self.selector.select(seconds):
            program: Program = key.data
            said = os.read(key.fd, 65536)
            if not said:
                self.selector.unregister(key.fd)
                os.close(key.fd)
                said = b"\n" if program.unfinished else b""
            *lines, program.unfinished = (program.unfinished + said).split(b"\n")
            for line in lines:
                self.say(line.decode(errors="replace").rstrip("\r"), program)

    def watch(self) -> None:
        """Start again what died, within reason. Raises `BrokenProgramError`."""
        for program in self.programs:
            if program.process is None or program.process.poll() is None:
                continue
            code, program.process = _end(program.process), None
            self.listen(0)  # its last words, before what is said about it
            if program.once:
                self.say(f"The {program.name} has gone.")
                continue
            if program.restarts == RESTARTS:
                raise BrokenProgramError(
                    f"The {program.name} died {RESTARTS + 1} times (exit code {code}); "
                    f"its last words are above."
                )
            program.restarts += 1
            self.say(f"The {program.name} died (exit code {code}); starting it again.")
            self.start(program)

    def run(
        self, *, until: Callable[[], bool] = lambda: False, seconds: float = float("inf")
    ) -> bool:
        """Go on until asked to stop, until something is so, or for some time; whether it is so."""
        deadline = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < deadline:
            if until():
                return True
            self.listen(0.2)
            self.watch()
        return False

    def stop(self) -> None:
        """End every program with all of its children: ask, wait, make it."""
        running = [program.process for program in self.programs if program.process]
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.poll() is None for process in running) and time.monotonic() < deadline:
            self.listen(0.05)
        for process in running:
            _end(process)
        self.listen(0)
        self.selector.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _end(process: subprocess.Popen[bytes]) -> int:
    """End what is left of a program's group; its exit code."""
    _signal(process, signal.SIGKILL)
    return process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """What a new child does first, so that it ends with us even when we are killed (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:  # We died before the kernel was told.
            os._exit(1)

    return in_child
