"""The tests' own environment: the shell that they are started from has no say in what shop they test."""

import os
import subprocess
import sys

from tests.environment import ROOT, SERVERS, settings_names

SHOW = """
import tests.environment
from django.conf import settings

print(settings.SITE_URL, settings.DEBUG, settings.SHOP_NAME, settings.CURRENCY, settings.DATABASE_URL)
"""


def test_the_settings_of_a_shell_do_not_reach_the_tests() -> None:
    odd = {"PORT": "9876", "DEBUG": "true", "SHOP_NAME": "Elsewhere", "CURRENCY": "USD"}
    shown = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"} | odd,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    url = os.environ["DATABASE_URL"]
    assert shown.stdout == f"http://127.0.0.1:8000 False Holdfast EUR {url}\n"


def test_every_setting_is_left_out_but_the_servers() -> None:
    names = settings_names()
    assert SERVERS.issubset(names)
    assert {"PORT", "SITE_URL", "SHOP_NAME", "PAYMENT_GATEWAYS", "EXPRESS_ROUTE"} <= names
