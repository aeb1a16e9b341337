"""What production must be told, and what it refuses to start with. Every message says what to set."""

import logging
from collections.abc import Mapping

import redis
from django.core.exceptions import ImproperlyConfigured

log = logging.getLogger(__name__)

#: Characters; Django's own generator makes 50.
SHORTEST_SECRET_KEY = 50

#: What the stripe gateway needs: how each begins, and what it is.
STRIPE: dict[str, tuple[str | tuple[str, ...], str]] = {
    "STRIPE_SECRET_KEY": (("sk_live_", "rk_live_"), "a secret or restricted key of live mode"),
    "STRIPE_PUBLISHABLE_KEY": ("pk_live_", "the publishable key of live mode"),
    "STRIPE_WEBHOOK_SECRET": ("whsec_", "the signing secret of the webhook"),
}


def refuse_unsafe_environment(
    environment: Mapping[str, str], *, insecure_secret_key: str, gateways: list[str]
) -> None:
    """Look at the environment before anything is connected to; called by the settings.

    Raises:
        ImproperlyConfigured: naming everything that is missing or unsafe, not only the first thing.
    """
    problems = [
        f"{name} is not set: {what}"
        for name, what in {
            "DATABASE_URL": "the PostgreSQL to use, as postgres://user:password@host:5432/name.",
            "REDIS_URL": "the Redis to use, as redis://:password@host:6379/0.",
            "ALLOWED_HOSTS": "the names that the shop answers to, with commas in between.",
            "SITE_URL": "where shoppers reach the shop, as https://shop.example.com; mails link there.",
        }.items()
        if not environment.get(name)
    ]
    key = environment.get("SECRET_KEY", "")
    if key in ("", insecure_secret_key) or len(key) < SHORTEST_SECRET_KEY:
        problems.append(
            f"SECRET_KEY is missing or weak: set it to at least {SHORTEST_SECRET_KEY} random"
            " characters, and keep it secret."
        )
    if "demo" in gateways:
        problems.append(
            "PAYMENT_GATEWAYS names demo, which takes no money: name the gateways of the shop."
        )
    if "stripe" in gateways:
        problems += [
            f"{name} is not set, or is not {what}: PAYMENT_GATEWAYS names stripe."
            for name, (prefix, what) in STRIPE.items()
            if not environment.get(name, "").startswith(prefix)
        ]
    if problems:
        raise ImproperlyConfigured("This is production, and:\n- " + "\n- ".join(problems))


def refuse_evicting_redis(url: str) -> None:
    """A Redis that evicts keys under pressure would forget claims; called when a server starts.

    A Redis that is away is logged and no reason to stay down: the shop sells without it.

    Raises:
        ImproperlyConfigured: its policy is not noeviction.
    """
    try:
        with redis.Redis.from_url(
            url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2
        ) as client:
            policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    except redis.RedisError:
        log.exception("Redis at REDIS_URL does not answer; its eviction policy was not checked")
        return
    if policy != "noeviction":
        raise ImproperlyConfigured(
            f"The Redis at REDIS_URL evicts keys when it is full (maxmemory-policy {policy}) and would"
            " forget claims: set maxmemory-policy to noeviction there, or name another server."
        )
