"""`check --deploy` finds an address that would lead shoppers out of their mails to another host."""

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


@pytest.fixture(autouse=True)
def deployed(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = [".example.com"]
    settings.SECURE_SSL_REDIRECT = True


def found(*, is_deployment: bool = True) -> list[str]:
    checks = run_checks(include_deployment_checks=is_deployment)
    return [check.msg.partition(": ")[2] for check in checks if check.id == "shop.E001"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "it does not begin with https:// and the name of a host."),
        ("shop.example.com", "it does not begin with https:// and the name of a host."),
        ("https://shop.example.com/", "it ends with the host"),
        ("http://shop.example.com", "pages are on https here"),
        ("https://127.0.0.1:8000", "its host is not one of ALLOWED_HOSTS."),
        ("https://shop.example.net", "its host is not one of ALLOWED_HOSTS."),
    ],
)
def test_a_site_url_that_leads_elsewhere_is_an_error(
    settings: Settings, url: str, problem: str
) -> None:
    settings.SITE_URL = url
    (said,) = found()
    assert problem in said


@pytest.mark.parametrize("url", ["https://shop.example.com", "https://shop.example.com:8443"])
def test_control_the_shops_own_address_is_none(settings: Settings, url: str) -> None:
    settings.SITE_URL = url
    assert found() == []


def test_outside_of_a_deployment_nobody_is_asked(settings: Settings) -> None:
    settings.SITE_URL = ""
    assert found(is_deployment=False) == []
