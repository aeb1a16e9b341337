"""The clients' processes, from the outside: started once, given one job after another, stopped at the end."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.client import Job
from bench.figures import percentile

PROCESSES = 4
#: Seconds until all processes have read their job.
HEAD_START_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all clients together met."""

    milliseconds: list[float]
    busy: int
    retries: int
    seconds: float

    @property
    def held(self) -> int:
        return len(self.milliseconds)

    @property
    def rate(self) -> float:
        return self.held / self.seconds

    def percentile(self, percent: float) -> float:
        return round(percentile(self.milliseconds, percent), 1)


class Crowd:
    def __init__(self) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.client"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(PROCESSES)
        ]
        for process in self.processes:
            self._answer(process)  # it is ready

    def buy(
        self,
        *,
        way: str,
        sale: str,
        clients: int,
        shoppers: int,
        seconds: float,
        meanwhile: Callable[[], None] = lambda: time.sleep(0.01),
    ) -> Outcome:
        """Let so many clients buy until the sale is sold out, the shoppers have all come, or the time is over.

        `meanwhile` is called again and again until the clients are done: a drain, where one is needed.
        """
        used = self.processes[: min(PROCESSES, clients)]
        starts = time.time() + HEAD_START_SECONDS
        for index, process in enumerate(used):
            job = Job(
                way=way,
                sale=sale,
                clients=clients // len(used),
                first=shoppers * index // len(used),
                last=shoppers * (index + 1) // len(used),
                starts=starts,
                seconds=seconds,
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        answers = self._answers(used, meanwhile)
        return Outcome(
            milliseconds=[value for answer in answers for value in answer["milliseconds"]],
            busy=sum(answer["busy"] for answer in answers),
            retries=sum(answer["retries"] for answer in answers),
            seconds=max(answer["ended"] for answer in answers) - starts,
        )

    def _answers(
        self, used: list[subprocess.Popen[str]], meanwhile: Callable[[], None]
    ) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(len(used)) as pool:
            answers = [pool.submit(self._answer, process) for process in used]
            while not all(answer.done() for answer in answers):
                meanwhile()
            return [answer.result() for answer in answers]

    @staticmethod
    def _answer(process: subprocess.Popen[str]) -> Any:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"A client process ended with {process.wait()}.")
        return json.loads(line)

    def stop(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def gathered() -> Iterator[Crowd]:
    crowd = Crowd()
    try:
        yield crowd
    finally:
        crowd.stop()
