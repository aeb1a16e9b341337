"""Loaded before the settings: real servers for the tests, and databases of its own for each test process."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from config import embedded

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "var" / "test"
#: Redis databases that one test process uses: the sale's, the broker, the caches.
REDIS_DATABASES = 3
#: What may be said from outside: the servers, and where Redis is installed.
SERVERS = {"DATABASE_URL", "REDIS_URL", "REDIS_SERVER_BIN"}


def settings_names() -> set[str]:
    """What shapes a shop: all of `.env.example`, and the port that mails link to."""
    example = (ROOT / ".env.example").read_text()
    return {"PORT", *re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)}


def prepare() -> None:
    # A shell may carry settings of its own, such as PORT or DEBUG: the tests are of the shop as it comes.
    for name in settings_names() - SERVERS:
        os.environ.pop(name, None)
    os.environ["HOLDFAST_ENV"] = "test"
    embedded.prepare_environment(home=HOME, durable=False)
    base = urlsplit(os.environ.setdefault("TEST_REDIS_URL", os.environ["REDIS_URL"]))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = int(base.path.strip("/") or 0) + number * REDIS_DATABASES
    for offset, name in enumerate(("REDIS_URL", "BROKER_URL", "CACHE_URL")):
        os.environ[name] = base._replace(path=f"/{first + offset}").geturl()


prepare()
