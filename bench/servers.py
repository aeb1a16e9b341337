"""Servers and a database of the measurements' own under var/bench, as durable as the demo's.

DATABASE_URL and REDIS_URL are not looked at: nobody's own database is filled with ten million rows.
"""

import os
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from config import embedded

HOME = embedded.VAR / "bench"
DATABASE = "bench"
#: What the row of `bench.growth` is measured in: a copy, filled up.
LARGE_DATABASE = "bench_large"


def prepare_environment() -> None:
    """Start the servers and make an empty database; the settings find them in the environment."""
    for name in ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "CACHE_URL"):
        os.environ.pop(name, None)
    os.environ |= {
        "HOLDFAST_ENV": "demo",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PURCHASES_PER_SECOND": "1000000",
        "LOG_LEVEL": "CRITICAL",
        "MEDIA_ROOT": str(HOME / "media"),
        "EMAIL_FILE_PATH": str(HOME / "mail"),
    }
    embedded.prepare_environment(home=HOME)
    drop_databases()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushall()
    _maintain(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    os.environ["DATABASE_URL"] = url_of(DATABASE)


def url_of(database: str) -> str:
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{database}"


def copy_database() -> None:
    """Make the large database out of the other one, to which nobody may be connected."""
    names = (sql.Identifier(name) for name in (LARGE_DATABASE, DATABASE))
    _maintain(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))


def drop_databases() -> None:
    for name in (DATABASE, LARGE_DATABASE):
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        _maintain(drop.format(sql.Identifier(name)))


def _maintain(statement: sql.Composed) -> None:
    with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement)


def relative(path: Path) -> str:
    return str(path.relative_to(embedded.VAR.parent))
