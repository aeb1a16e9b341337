"""What every test has: real PostgreSQL and Redis (see `tests.environment`), emptied between tests."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest
import redis
from django.conf import settings
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from config import caches
from flashsale import breaker, limits, line_document, sales, shoppers, soldout
from shop.gateways import breaker as gateway_breaker
from tests.emptying import empty_database
from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Make this process's database whatever runs: pytest-django's own fixture makes it only for tests that
    it wraps in a transaction or empties, and the tests of a running shop are neither."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    with patch.object(TransactionTestCase, "_fixture_teardown", lambda case: empty_database()):
        yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def empty_redis(request: pytest.FixtureRequest) -> None:
    """Redis starts empty, and nothing that this process remembers outlives its test."""
    sales.forget_copies()
    line_document.forget_all()
    soldout.forget_all()
    breaker.claims.worked()
    breaker.calls.worked()
    caches.breaker.worked()
    gateway_breaker.forget_all()
    limits.forget_counts()
    shoppers.forget_tokens()
    if "stack" not in request.fixturenames:
        for url in {settings.REDIS_URL, settings.BROKER_URL, settings.CACHE_URL}:
            with redis.Redis.from_url(url) as client:
                client.flushdb()


@pytest.fixture(autouse=True)
def files_of_this_test(tmp_path_factory: pytest.TempPathFactory, settings: object) -> None:
    settings.MEDIA_ROOT = tmp_path_factory.getbasetemp() / "media"  # type: ignore[attr-defined]  # pytest-django's wrapper


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Stack]:
    """A running shop: web server, worker and beat on this process's test databases.

    The tests of a module share it and make rows of their own; the database is emptied when it stops. Its parameter,
    where a module gives one, is what the environment says besides.
    """
    environment: dict[str, str] = getattr(request, "param", {})
    with django_db_blocker.unblock(), running_stack(environment) as stack:
        yield stack


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: browsers and time-outs are waited for."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Without Chromium or nginx whole tiers are skipped: say so where nobody misses it."""
    for needed in ("browser", "nginx"):
        skipped = [
            report
            for report in terminalreporter.stats.get("skipped", [])
            if needed in report.keywords
        ]
        if skipped:
            *_, reason = skipped[0].longrepr
            terminalreporter.write_line(
                f"{needed} tests were not run: {len(skipped)} of them, because "
                f"{reason.removeprefix('Skipped: ')}",
                yellow=True,
                bold=True,
            )
