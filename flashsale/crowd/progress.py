"""How a crowd is watched: a live bar in a terminal, a readable line every two seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flashsale.crowd.report import Report

#: Seconds between two lines where there is no terminal.
LINE_SECONDS = 2.0


@contextmanager
def shown(report: Report, *, out: OutputWrapper) -> Iterator[Callable[[Report], None]]:
    """Give a function to call with the report as often as one likes."""
    if out.isatty():
        columns = (
            TextColumn("Crowd"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Console(file=out)) as progress:  # type: ignore[arg-type]  # writes like a file
            task = progress.add_task("", total=report.shoppers)
            yield lambda report: progress.update(
                task, completed=report.finished, description=report.progress()
            )
        return
    said, said_at = "", time.monotonic()

    def tick(report: Report) -> None:
        nonlocal said, said_at
        line = report.progress()
        if line != said and time.monotonic() >= said_at + LINE_SECONDS:
            said, said_at = line, time.monotonic()
            out.write(f"crowd: {line}")

    yield tick
