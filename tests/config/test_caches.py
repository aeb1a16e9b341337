"""The cache's Redis is away: what that costs, and that pages come all the same."""

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from config import caches
from tests.away import cache_away


def test_a_cache_that_failed_is_left_alone_for_a_moment_and_then_asked_again() -> None:
    with cache_away() as sent:
        assert [cache.get("price", 7) for _ in range(5)] == [7] * 5
        assert sent == ["GET"]
        caches.breaker.worked()
        assert cache.get_many(["price"]) == {}
        assert len(sent) == 2
    caches.breaker.worked()
    cache.set("price", 8)
    assert cache.get("price") == 8


def test_control_the_usual_client_is_asked_every_time() -> None:
    with cache_away(client="redis.Redis") as sent:
        assert [cache.get("price", 7) for _ in range(5)] == [7] * 5
    assert sent == ["GET"] * 5


@pytest.mark.parametrize("path", ["/", "/search/?q=lamp"])
def test_a_page_without_its_cache_is_made_anew_and_asks_once(
    path: str, db: None, client: Client, settings: Settings
) -> None:
    settings.PAGE_CACHE_SECONDS = 30
    with cache_away() as sent:
        assert [client.get(path).status_code for _ in range(3)] == [200] * 3
    assert sent == ["MGET"]
