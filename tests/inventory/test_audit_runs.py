import logging
from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab
from django.conf import settings as django_settings
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, audit_runs, stock
from inventory.models import AuditRun, Stock
from inventory.tasks import LONGEST_AUDIT_SECONDS, audit_books
from tests.inventory.test_admin import sign_in
from tests.races.moment import at_once

pytestmark = pytest.mark.django_db(transaction=True)

BREACHES = {
    "allocated_equals_reservations": ["stock MUG (main): allocated 1, held and confirmed 0"],
    "counters_equal_movements": ["stock MUG (main): on hand 5, moved 5; allocated 1, moved 0"],
}


@pytest.fixture(autouse=True)
def people_to_tell(settings: Settings) -> None:
    settings.ALERT_EMAILS = ["ada@example.com", "grace@example.com"]


def spoil() -> None:
    stock.receive(sku="MUG", quantity=5)
    Stock.objects.update(allocated=1)


def test_a_run_that_finds_nothing_is_kept_and_nobody_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stock.receive(sku="MUG", quantity=5)
    audit_books()
    run = AuditRun.objects.get()
    assert (run.ok, run.breaches) == (True, {})
    assert run.checks >= 20
    assert run.seconds > 0
    assert timezone.now() - run.started_at < timedelta(minutes=1)
    assert mail.outbox == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_breach_is_kept_logged_mailed_and_shown_in_the_metrics(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    spoil()
    audit_books()
    run = AuditRun.objects.get()
    assert (run.ok, run.breaches) == (False, BREACHES)
    (message,) = mail.outbox
    assert message.to == ["ada@example.com", "grace@example.com"]
    assert "the audit found 2 of" in message.subject
    for name, (breach,) in BREACHES.items():
        assert name in message.body
        assert breach in message.body
        assert any(breach in r.getMessage() for r in caplog.records if r.levelname == "ERROR")
    metrics = client.get("/metrics").content.decode()
    assert "\nholdfast_audit_breaches 2\n" in metrics
    moment = int(run.started_at.timestamp())
    assert f"\nholdfast_audit_timestamp_seconds {moment}\n" in metrics


def test_a_shop_that_was_never_audited_says_nothing_of_it_in_the_metrics(client: Client) -> None:
    assert "holdfast_audit" not in client.get("/metrics").content.decode()


def test_a_mail_server_that_is_away_loses_neither_the_run_nor_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil()
    with mock.patch("inventory.alerts.send_mail", side_effect=SMTPServerDisconnected("gone")):
        audit_books()
    assert AuditRun.objects.get().breaches == BREACHES
    assert any("was not mailed" in record.getMessage() for record in caplog.records)


def test_without_addresses_the_log_alone_tells(settings: Settings) -> None:
    settings.ALERT_EMAILS = []
    spoil()
    audit_books()
    assert AuditRun.objects.get().ok is False
    assert mail.outbox == []


def test_running_it_twice_adds_a_run_and_changes_no_books() -> None:
    stock.receive(sku="MUG", quantity=5)
    before = list(Stock.objects.values())
    audit_books()
    audit_books()
    assert AuditRun.objects.count() == 2
    assert list(Stock.objects.values()) == before


def test_two_at_once_are_one_run() -> None:
    spoil()
    runs = at_once(*[_record_slowly] * 2)
    assert sorted(run is None for run in runs) == [False, True]
    assert AuditRun.objects.count() == 1
    assert len(mail.outbox) == 1


def test_control_without_the_lock_they_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_runs, "_is_alone", lambda: True)
    spoil()
    at_once(*[_record_slowly] * 2)
    assert AuditRun.objects.count() == 2
    assert len(mail.outbox) == 2


def _record_slowly() -> AuditRun | None:
    """Long enough for the other one to come in the middle."""
    with connection.execute_wrapper(_slow_snapshot):
        return audit_runs.record()


def _slow_snapshot(
    execute: Callable[..., object], sql: str, params: object, many: bool, context: object
) -> object:
    if "inventory_holding holding" in sql:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.5)")
    return execute(sql, params, many, context)


def test_the_audit_may_take_longer_than_a_shopper_waits(settings: Settings) -> None:
    """The session's limit on statements is for shoppers; the audit's own transaction is without it."""
    settings.AUDIT_CHECKS = ["tests.inventory.test_audit_runs.slow_checks"]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 100")
    try:
        audit_books()
        assert AuditRun.objects.get().breaches == {"slow": ["slept"]}
        with pytest.raises(Exception, match="statement timeout"), transaction.atomic():
            list(audit.run(scope={}))  # the control: outside of a snapshot the limit holds
    finally:
        connection.close()


def slow_checks(*, scope: dict[str, str]) -> list[audit.Check]:
    sql = "SELECT 'slept' AS breach FROM pg_sleep(0.3)"
    return [audit.Check(name="slow", question="Is it slow?", sql=sql)]


@pytest.mark.parametrize(("ok", "breaches"), [(True, {"x": ["y"]}), (False, {})])
def test_the_database_refuses_a_run_that_contradicts_itself(
    ok: bool, breaches: dict[str, list[str]]
) -> None:
    with pytest.raises(IntegrityError, match="audit_run_ok_without_breaches"):
        AuditRun.objects.create(
            started_at=timezone.now(), seconds=1, checks=1, ok=ok, breaches=breaches
        )


def test_it_runs_once_a_night_in_the_shops_zone_and_before_the_broker_gives_it_to_another() -> None:
    entry = django_settings.CELERY_BEAT_SCHEDULE["audit_books"]
    assert entry["task"] == audit_books.name
    assert entry["schedule"] == crontab(hour=4, minute=30)
    assert audit_books.app.timezone == ZoneInfo(django_settings.TIME_ZONE)
    options: dict[str, Any] = django_settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert options["visibility_timeout"] > LONGEST_AUDIT_SECONDS


def test_staff_see_the_runs_and_their_breaches_and_change_none(
    client: Client, settings: Settings
) -> None:
    sign_in(client, settings, group="Staff")
    audit_books()
    spoil()
    audit_books()
    page = client.get(reverse("admin:inventory_auditrun_changelist")).content.decode()
    assert all(name in page for name in BREACHES)
    change = reverse("admin:inventory_auditrun_change", args=[AuditRun.objects.get(ok=False).pk])
    page = client.get(change).content.decode()
    for name, (breach,) in BREACHES.items():
        assert f"<dt>{name}</dt><dd>{breach}</dd>" in page
    assert client.post(change, {"ok": "on"}).status_code == 403
    assert client.get(reverse("admin:inventory_auditrun_add")).status_code == 403
    sound = reverse("admin:inventory_auditrun_change", args=[AuditRun.objects.get(ok=True).pk])
    assert ">none<" in client.get(sound).content.decode()
