import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.production import refuse_evicting_redis

ROOT = Path(__file__).resolve().parent.parent.parent
SAFE = {
    "HOLDFAST_ENV": "production",
    "DATABASE_URL": "postgres://holdfast@127.0.0.1:1/holdfast",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "ALLOWED_HOSTS": "shop.example.com",
    "SITE_URL": "https://shop.example.com",
    "SECRET_KEY": "0123456789" * 5,
    "PAYMENT_GATEWAYS": "",
}
STRIPE = {
    "PAYMENT_GATEWAYS": "stripe",
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
}


def start(
    environment: dict[str, str], *, show: str = "'started'"
) -> subprocess.CompletedProcess[str]:
    """What a start in that environment says; an environment of its own, nothing of ours."""
    code = f"import django; django.setup(); from django.conf import settings; print({show})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_production_starts_when_it_was_told_everything() -> None:
    assert start(SAFE).stdout == "started\n"


def test_pages_are_open_to_the_script_of_stripe_where_it_takes_payments_alone() -> None:
    show = "settings.CONTENT_SECURITY_POLICY['DIRECTIVES']['script-src']"
    assert start(SAFE, show=show).stdout == "[\"'self'\"]\n"
    assert start(SAFE | STRIPE, show=show).stdout == "[\"'self'\", 'https://js.stripe.com']\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is not set"),
        ({"SITE_URL": ""}, "SITE_URL is not set"),
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing or weak"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is missing or weak"),
        ({"PAYMENT_GATEWAYS": "demo"}, "PAYMENT_GATEWAYS names demo"),
        ({"PAYMENT_GATEWAYS": "stripe"}, "STRIPE_WEBHOOK_SECRET is not set"),
        (STRIPE | {"STRIPE_SECRET_KEY": "sk_test_1"}, "STRIPE_SECRET_KEY is not set, or is not"),
    ],
)
def test_production_refuses_to_start_and_says_what_to_set(
    change: dict[str, str], message: str
) -> None:
    refused = start(SAFE | change)
    assert refused.returncode != 0
    assert message in refused.stderr


def test_every_problem_is_named_at_once() -> None:
    refused = start({"HOLDFAST_ENV": "production", "PAYMENT_GATEWAYS": "demo"})
    for name in (
        "DATABASE_URL",
        "REDIS_URL",
        "ALLOWED_HOSTS",
        "SITE_URL",
        "SECRET_KEY",
        "PAYMENT_GATEWAYS",
    ):
        assert name in refused.stderr


@pytest.fixture
def evicting() -> Iterator[None]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield
        client.config_set("maxmemory-policy", "noeviction")


def test_a_redis_that_evicts_is_refused(evicting: None) -> None:
    with pytest.raises(ImproperlyConfigured, match="set maxmemory-policy to noeviction"):
        refuse_evicting_redis(settings.REDIS_URL)


def test_a_redis_that_keeps_everything_is_accepted() -> None:
    refuse_evicting_redis(settings.REDIS_URL)


def test_a_redis_that_is_away_does_not_keep_the_shop_down() -> None:
    refuse_evicting_redis("redis://127.0.0.1:1/0")
