"""Processes that do one piece of work on a payment and are killed at a line of it.

`python -m tests.faults.paying` loads the shop once and then forks a process for every line `WORK<tab>ID<tab>LINE` that
it reads. It answers with the place where the process died, or the number of lines that its work has, and with the
signal that ended it, or 0. It opens no connection itself, so each process has its own.
"""

import os
import sys

import django


def work_and_die(work: str, row: str, line: int) -> None:
    from tests.proof.crash_points import kill_this_process  # noqa: PLC0415 -- after django.setup()
    from tests.proof.lines import at_line  # noqa: PLC0415

    def die(where: str) -> None:
        print(where, flush=True)
        kill_this_process()

    with at_line(line, die) as lines:
        do(work, row)
    print(lines.count, flush=True)


def do(work: str, row: str) -> None:
    from shop import payment_events, payments  # noqa: PLC0415 -- after django.setup()
    from shop.models import Order, PaymentEvent  # noqa: PLC0415

    match work:
        case "pay":
            order = Order.objects.get(pk=row)
            payments.start(order=order, method={"method": "demo", "card": "approve"})
        case "event":
            payment_events.process(PaymentEvent.objects.get(reference=row).pk)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print("ready", flush=True)
    for request in sys.stdin:
        work, row, line = request.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            work_and_die(work, row, int(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)


if __name__ == "__main__":
    main()
