"""What is usually said about flash sales, next to the figures of this run that speak for or against it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import pages
from bench.figures import Figure

Row = Mapping[str, Any]
#: Clients between which a strategy is compared: few, many, and as many as come.
FEW, MANY, ALL = 4, 64, 256


def verdicts_table(rows: Sequence[Row], summary: Mapping[str, Figure]) -> str:
    known = {(row["strategy"], row["clients"]): row for row in rows}
    claims = {
        "An atomic decrement in Redis is enough": _redis(known, summary),
        "Optimistic locking causes retry storms": _version(known),
        "Pessimistic locking makes everybody wait": _lock(known),
        "Batching is what helps": _batches(known, summary),
    }
    return pages.table(
        ["what is said", "what this run says"], [list(pair) for pair in claims.items()]
    )


def _redis(known: Mapping[tuple[str, int], Row], summary: Mapping[str, Figure]) -> str:
    naive = known["naive", MANY]["oversold"]
    ours = sum(row["oversold"] for (name, _), row in known.items() if name != "naive")
    claims = pages.number(summary["claim_script_per_second"].value)
    return (
        f"{claims} claims/s by one Redis. Units oversold at {MANY} clients without it and without a lock: {naive:,};"
        f" with any of the three strategies, at any number of clients: {ours:,}"
    )


def _version(known: Mapping[tuple[str, int], Row]) -> str:
    parts = [
        f"{clients} clients: {row['retries'] / max(1, row['held']):.1f} retries a hold,"
        f" {row['told_busy']} clicks told to try again, {pages.number(row['holds_per_second'])} holds/s"
        for clients in (FEW, MANY, ALL)
        for row in [known["version", clients]]
    ]
    return "; ".join(parts)


def _lock(known: Mapping[tuple[str, int], Row]) -> str:
    parts = [
        f"{clients} clients: p50 {pages.number(row['p50_ms'])} ms, p99 {pages.number(row['p99_ms'])} ms,"
        f" {pages.number(row['holds_per_second'])} holds/s"
        for clients in (FEW, MANY, ALL)
        for row in [known["lock", clients]]
    ]
    return "; ".join(parts)


def _batches(known: Mapping[tuple[str, int], Row], summary: Mapping[str, Figure]) -> str:
    over_lock = pages.number(summary["drain_vs_select_for_update"].value)
    over_insert = pages.number(summary["drain_vs_bare_insert"].value)
    parts = [
        f"{clients}: {pages.number(known['redis', clients]['holds_per_second'])} holds/s"
        for clients in (1, FEW, MANY, ALL)
    ]
    return (
        f"A full queue is settled at {over_lock} times the rate of one lock a purchase, and at {over_insert} of bare"
        f" INSERTs. With clients who each wait for their own unit, {', '.join(parts)}"
    )
