"""A real run of the line: ten thousand shoppers over HTTP, against the shop's own programs; half of them never come.

`python -m bench.line_run` takes about five minutes, prints what it saw, writes var/bench/line-run.json and the table of
docs/performance.md.
"""

import json
import sys

from bench import servers


def main() -> int:
    servers.prepare_environment()
    import django  # noqa: PLC0415 -- the environment is ready now

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 -- needs Django

    from bench import browsers, http, pages, stage  # noqa: PLC0415 -- needs Django
    from bench.measurements import PAGE  # noqa: PLC0415 -- needs Django

    call_command("migrate", verbosity=0)
    stage.make_shoppers(browsers.SHOPPERS)
    try:
        with http.granian(environment={"RATELIMIT_ENABLE": "false"}) as port, browsers.workers():
            report = browsers.run(port)
    finally:
        servers.drop_databases()
    (servers.HOME / "line-run.json").write_text(json.dumps(report, indent=2) + "\n")
    rows = [[name, str(value)] for name, value in report.items()]
    table = pages.table(["what", "seen"], rows)
    pages.write(PAGE, {"line": table}, run="run")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
