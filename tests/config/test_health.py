from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from tests.factories import make_variant


def test_a_living_process_needs_no_database(
    db: None, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response.headers["Cache-Control"]


def test_ready_means_that_the_database_answers(db: None, client: Client) -> None:
    response = client.get("/healthz/ready")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "database": True, "cache": True},
    )


def test_redis_away_is_told_and_fails_nothing(db: None, client: Client, settings: Settings) -> None:
    away = settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = settings.CACHES | {"default": away}
    response = client.get("/healthz/ready")
    assert (response.status_code, response.json()) == (
        200,
        {"status": "ok", "database": True, "cache": False},
    )


def test_a_database_away_is_not_ready_but_alive(transactional_db: None, client: Client) -> None:
    known = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = 1
    try:
        ready, live = client.get("/healthz/ready"), client.get("/healthz/live")
    finally:
        connection.close()
        connection.settings_dict["PORT"] = known
    assert (ready.status_code, ready.json()["database"]) == (503, False)
    assert live.status_code == 200


def test_metrics_are_numbers_for_the_addresses_named_and_nobody_else(
    db: None, client: Client, settings: Settings
) -> None:
    make_variant(units=7)
    body = client.get("/metrics").content.decode()
    assert 'holdfast_stock_units{state="on_hand"} 7\n' in body
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 404
    settings.METRICS_ADDRESSES = ["192.0.2.1"]
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert client.get("/metrics").status_code == 404
