"""A real browser: Debian's Chromium, driven by Playwright. Without one the tests are skipped, and say so."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.steps import PATIENCE_MS
from tests.client import Client
from tests.stack import Stack

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_IT = (
    "there is no Chromium here. Install one (on Debian and Ubuntu: apt-get install chromium), "
    "or say where it is: CHROMIUM=/path/to/chromium"
)
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[..., Page]
Crowd = Callable[[str], Client]


def find_chromium() -> str | None:
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    """The browser's path. It comes before the module's stack, so that a skip costs nothing."""
    path = find_chromium()
    if path is None:
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(HOW_TO_GET_IT, pytrace=False)
        pytest.skip(HOW_TO_GET_IT)
    return path


@contextmanager
def running_browser(path: str) -> Iterator[Browser]:
    connection = connections["default"]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop running in this thread, though nothing here is asynchronous:
        # Django would refuse to make a query beside it, and would open a connection of its own, and leave it open.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        connections["default"] = connection
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser(chromium: str, stack: Stack) -> Iterator[Browser]:
    with running_browser(chromium) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, stack: Stack) -> Iterator[OpenPage]:
    """Make a page in a browser of its own, with Playwright's context options.

    At the end no script of ours may have failed, and nothing may have offended the strict policy.
    """
    contexts = []
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    def open_page(**options: Any) -> Page:
        defaults = {"base_url": stack.url, "viewport": {"width": 390, "height": 844}}
        context = browser.new_context(**defaults | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", listen)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def crowd(stack: Stack) -> Iterator[Crowd]:
    """Sign somebody in who comes over the API."""
    with ExitStack() as clients:
        yield lambda email: clients.enter_context(Client(stack.url, email=email))
