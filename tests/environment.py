"""Loaded before the settings: real servers for the tests, and databases of its own for each test process."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from config import embedded

HOME = Path(__file__).resolve().parent.parent / "var" / "test"
#: Redis databases that one test process uses: the sale's, the broker, the caches.
REDIS_DATABASES = 3


def prepare() -> None:
    os.environ["HOLDFAST_ENV"] = "test"
    embedded.prepare_environment(home=HOME, durable=False)
    base = urlsplit(os.environ.setdefault("TEST_REDIS_URL", os.environ["REDIS_URL"]))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = int(base.path.strip("/") or 0) + number * REDIS_DATABASES
    for offset, name in enumerate(("REDIS_URL", "BROKER_URL", "CACHE_URL")):
        os.environ[name] = base._replace(path=f"/{first + offset}").geturl()


prepare()
