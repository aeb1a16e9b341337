"""The line document through nginx against a static file of the same size: same nginx, sides in turns.

wrk makes the load where it is on the PATH. Else a client of our own does, which is slower than nginx: then the two
sides look more alike than they are.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from django.utils import timezone

from bench import http, stage
from bench.figures import Figure, ratio, take_turns
from bench.size import Size
from flashsale import line
from tests.nginx import NGINX_MISSING, running_nginx

FILE = "/static/line.0123456789ab.json"
#: Seconds of one turn of a side, by wrk.
TURN_SECONDS = 2


def measure(size: Size) -> dict[str, Figure]:
    """One figure; none where there is no nginx, which is said."""
    if shutil.which("nginx") is None:
        print(f"line_nginx_vs_static: not measured, because {NGINX_MISSING}", flush=True)
        return {}
    stage.end_sales()
    sale = stage.open_sale(units=100, has_line=True)
    line.renew(sale, now=timezone.now())
    path = f"/api/v1/sales/{sale.slug}/line/"
    environment = {"TRUSTED_PROXIES": "1"}
    with (
        tempfile.TemporaryDirectory() as folder,
        http.granian(environment=environment) as application,
        running_nginx(Path(folder), application=application) as url,
    ):
        document = httpx.get(url + path).raise_for_status().content
        file = Path(folder) / FILE.removeprefix("/")
        file.parent.mkdir()
        file.write_bytes(document)
        assert httpx.get(url + FILE).content == document
        rate = _by_wrk if shutil.which("wrk") else partial(_by_ourselves, count=size.clicks)
        print(f"line_nginx_vs_static: load by {'wrk' if rate is _by_wrk else 'our client'}")
        sides: dict[str, Callable[[], float]] = {
            "line_by_nginx": lambda: rate(url, path),
            "static_file_by_nginx": lambda: rate(url, FILE),
        }
        for side in sides.values():
            side()  # warms both
        figures = take_turns(sides, rounds=size.nginx_rounds)
    return {
        "line_nginx_vs_static": ratio(figures, "line_by_nginx", "static_file_by_nginx", target=0.9)
    }


def _by_wrk(url: str, path: str) -> float:
    command = ["wrk", "-t1", f"-c{http.CONNECTIONS}", f"-d{TURN_SECONDS}s", url + path]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in said, said
    assert "Socket errors" not in said, said
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", said)
    return float(rate)


def _by_ourselves(url: str, path: str, *, count: int) -> float:
    host, port = url.removeprefix("http://").split(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    driven = http.drive(port=int(port), requests=[request] * count)
    assert driven.statuses == {200: count}, driven.statuses
    return driven.rate
