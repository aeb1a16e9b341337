"""The supervisor, in a process of its own, with programs that behave badly."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import embedded, servers

ROOT = Path(embedded.__file__).resolve().parent.parent

SUPERVISOR = """
import sys
from pathlib import Path
from config.supervisor import BrokenProgramError, Program, Supervisor
with Path(sys.argv[1]).open("w") as log:
    supervisor = Supervisor(log)
    try:
        for number, code in enumerate(sys.argv[2:]):
            command = [sys.executable, "-c", code]
            supervisor.start(Program(f"part{number}", command, 36, once="once" in code))
        supervisor.run()
    except BrokenProgramError as error:
        sys.exit(str(error))
    finally:
        supervisor.stop()
"""

#: Says its own and its child's process id; neither ends when it is asked to.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print("ids", os.getpid(), child, flush=True)
time.sleep(600)
"""
#: Says its process id, and ends when it is asked to.
OBEDIENT = "import os, time; print('ids', os.getpid(), flush=True); time.sleep(600)"


def supervise(log: Path, *codes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(log), *codes],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ids(supervisor: subprocess.Popen[str]) -> list[int]:
    assert supervisor.stdout
    return [int(word) for word in supervisor.stdout.readline().partition("ids ")[2].split()]


def gone(*pids: int) -> bool:
    return not any(servers.command_line(pid) for pid in pids)


def test_a_program_that_ignores_the_request_to_end_is_ended_with_its_children(
    tmp_path: Path,
) -> None:
    supervisor = supervise(tmp_path / "log", STUBBORN, OBEDIENT)
    running = [*ids(supervisor), *ids(supervisor)]
    assert len(running) == 3
    assert not gone(*running)
    begun = time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate()
    assert time.monotonic() - begun < 10
    assert supervisor.returncode == 0
    assert gone(*running)


def test_programs_that_end_when_asked_are_not_waited_for(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path / "log", OBEDIENT)
    running = ids(supervisor)
    begun = time.monotonic()
    supervisor.send_signal(signal.SIGINT)
    supervisor.communicate()
    assert time.monotonic() - begun < 3
    assert gone(*running)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends them for us")
def test_programs_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path / "log", OBEDIENT)
    running = ids(supervisor)
    supervisor.kill()
    supervisor.communicate()
    assert servers.wait(lambda: gone(*running), seconds=5)


def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path / "log", OBEDIENT)
    (first,) = ids(supervisor)
    os.kill(first, signal.SIGKILL)
    assert supervisor.stdout
    assert supervisor.stdout.readline() == "The part0 died (exit code -9); starting it again.\n"
    (second,) = ids(supervisor)
    assert second != first
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate()
    assert gone(second)


def test_a_program_that_dies_again_and_again_ends_the_rest_with_a_clear_error(
    tmp_path: Path,
) -> None:
    supervisor = supervise(tmp_path / "log", OBEDIENT, "print('no luck'); raise SystemExit(3)")
    said, errors = supervisor.communicate()
    assert supervisor.returncode == 1
    # Whichever of the two speaks first.
    (running,) = re.findall(r"^part0  \| ids (\d+)$", said, re.M)
    assert said.count("part1  | no luck\n") == 4
    assert said.count("The part1 died (exit code 3); starting it again.\n") == 3
    assert errors == "The part1 died 4 times (exit code 3); its last words are above.\n"
    assert gone(int(running))


def test_the_log_has_each_line_whole_and_says_whose_it_is(tmp_path: Path) -> None:
    halves = "import time; print('one ', end='', flush=True); time.sleep(0.5); print('line\\nlast', end='')  # once"
    supervisor = supervise(tmp_path / "log", halves)
    assert supervisor.stdout
    said = [supervisor.stdout.readline() for _ in range(3)]
    assert sorted(said) == ["The part0 has gone.\n", "part0  | last\n", "part0  | one line\n"]
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate()
    assert supervisor.returncode == 0
    assert sorted((tmp_path / "log").read_text().splitlines(keepends=True)) == sorted(said)
