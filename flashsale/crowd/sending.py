"""Sending the crowd: to this machine alone, for a bounded time."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from flashsale.crowd.people import Member, imagine
from flashsale.crowd.report import Report
from flashsale.crowd.shopper import Place, Shopper

#: Connections that the crowd opens at the most; the others wait as in a browser's own pool.
CONNECTIONS = 64
#: Seconds that one request may take before the shopper tries again.
REQUEST_SECONDS = 15.0


class NotLoopbackError(Exception):
    """The crowd is sent to this machine alone."""


def check_address(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        NotLoopbackError: it is not plain HTTP on this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if parts.scheme != "http" or not is_here:
        raise NotLoopbackError(
            f"{url} is not this machine: give an address such as http://127.0.0.1:8000."
        )
    return url.rstrip("/")


async def send(
    *,
    url: str,
    slug: str,
    members: Sequence[Member],
    seed: int,
    seconds: float,
    report: Report,
    tick: Callable[[Report], None],
) -> None:
    """Send the members to a sale and wait until all are done, `seconds` at the most.

    Args:
        report: filled on the way.
        tick: called about four times a second with the report.

    Raises:
        NotLoopbackError: `url` is somewhere else.
        httpx.HTTPError: there is no such sale, or no shop at `url`.
    """
    address = check_address(url)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1/", limits=limits, timeout=REQUEST_SECONDS, trust_env=False
    ) as client:
        answer = await client.get(f"sales/{slug}/")
        answer.raise_for_status()
        sale = Place.parse(answer.json())
        people = [
            asyncio.create_task(
                Shopper(
                    client=client,
                    sale=sale,
                    key=member.key,
                    person=imagine(seed=seed, number=number),
                    chance=random.Random(f"{seed}:{number}:on the way"),  # noqa: S311 -- jitter
                    report=report,
                ).shop()
            )
            for number, member in enumerate(members)
        ]
        deadline = time.monotonic() + seconds
        while not all(person.done() for person in people) and time.monotonic() < deadline:
            await asyncio.wait(people, timeout=0.25, return_when=asyncio.ALL_COMPLETED)
            tick(report)
        for person in people:
            person.cancel()
        for outcome in await asyncio.gather(*people, return_exceptions=True):
            if isinstance(outcome, asyncio.CancelledError):
                report.errors["ran out of time"] += 1
            elif isinstance(outcome, BaseException):
                report.errors[f"{type(outcome).__name__}: {outcome}"[:80]] += 1
