"""Processes that do one piece of work on a sale and are killed at a point of it.

`python -m tests.faults.dying` loads the shop once and then forks a process for every line `SALE<tab>POINT` that it
reads; it answers with the number of the signal that ended the process, or 0 for one that got past its point. It opens
no connection itself, so each process has its own.
"""

import os
import sys

import django


def work_and_die(sale_slug: str, name: str) -> None:
    from flashsale import drain, sales  # noqa: PLC0415 -- after django.setup()
    from tests.proof.crash_points import POINTS, dying_at, kill_this_process  # noqa: PLC0415
    from tests.proof.work import do  # noqa: PLC0415

    if name == "acknowledged before it was settled":  # what no point of ours does: the control
        sale = sales.find(sale_slug)
        assert sale is not None
        drain._acknowledge(sale, drain.take(sale_id=sale.id, consumer="dies"))
        kill_this_process()
    (point,) = [point for point in POINTS if str(point) == name]
    with dying_at(point, die=kill_this_process):
        do(point.work, sale_slug)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work_and_die(*line.rstrip("\n").split("\t"))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)


if __name__ == "__main__":
    main()
