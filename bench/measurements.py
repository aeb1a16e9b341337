"""All measurements in a row: a table, var/bench/*.json, and of a full run the document's plots and tables."""

import json
import platform
from collections.abc import Mapping
from datetime import date
from os import cpu_count, getloadavg
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from bench import (
    buy,
    crowd,
    drains,
    latency,
    line,
    line_nginx,
    looking,
    memory,
    pages,
    plots,
    rows,
    scripts,
    servers,
    stage,
    strategies,
    verdicts,
)
from bench.figures import Figure
from bench.size import FULL, Size
from flashsale import store

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"


def everything(size: Size) -> int:
    call_command("migrate", verbosity=0)
    # Every shopper buys once a round; the naive way and the fastest one need the most.
    stage.make_shoppers(size.claims + 1000)
    load = getloadavg()[0]
    summary: dict[str, Figure] = {}
    try:
        with crowd.gathered() as people:
            summary |= _said("drain", drains.measure(size, people))
            swept = strategies.sweep(size, people)
        batches = drains.sweep_batches(size)
        summary |= _said("claim script", scripts.measure(size))
        synced = scripts.time_sync(size)
        summary |= _said("memory", memory.measure(size))
        summary |= _said("the line's memory", memory.measure_line(size))
        summary |= _said("Buy to held", latency.measure(size))
        summary |= _said("Buy against an empty view", buy.measure(size))
        summary |= _said("the line against an empty view", line.measure(size))
        summary |= _said("line document through nginx", line_nginx.measure(size))
        summary |= _said("looking around", looking.measure(size))
        summary |= _said("rows", rows.measure(size))
        tables = {
            "machine": describe_machine(load),
            "summary": pages.summary_table(summary),
            "strategies": pages.strategies_table(swept),
            "batches": pages.batches_table(batches),
            "sync": pages.sync_table(synced),
            "verdicts": verdicts.verdicts_table(swept, summary),
        }
    finally:
        servers.drop_databases()
    for name, content in (("strategies", swept), ("batches", batches), ("sync", synced)):
        _write_json(name, content)
    _write_json("summary", {name: figure.as_json() for name, figure in summary.items()})
    is_full = size is FULL
    pictures = PICTURES if is_full else servers.HOME
    plots.draw_strategies(swept, pictures / "bench-strategies.svg")
    plots.draw_batches(batches, pictures / "bench-batches.svg")
    if is_full:
        pages.write(PAGE, tables)
    for name in ("summary", "strategies", "batches", "sync"):
        print(f"\n{tables[name]}")
    print(f"\nWritten: {servers.relative(servers.HOME / 'summary.json')}")
    return 0


def _said(what: str, figures: Mapping[str, Figure]) -> Mapping[str, Figure]:
    """Pass figures on, and say that they are there: a full run takes a while."""
    values = ", ".join(f"{name} {figure.value:g}" for name, figure in figures.items())
    print(f"{what}: {values}", flush=True)
    return figures


def _write_json(name: str, content: Any) -> None:
    (servers.HOME / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def describe_machine(load: float) -> str:
    """When and on what a run was made; `load` is the load average when it began."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone()
    known = store.client().info("server")
    redis = known.get("valkey_version") or known["redis_version"]
    today = date.today().isoformat()  # noqa: DTZ011 -- a date for people
    return (
        f"Run of {today}: {cpu_count()} cores ({platform.machine()}), Python {platform.python_version()},"
        f" PostgreSQL {postgres.split()[0]}, Valkey {redis}. The load average was {load:.1f} when it began."
    )
