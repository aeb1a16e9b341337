"""Every gateway in turn, for the tests that all of them have to pass."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.shop.providers import Provider, demo_provider, stripe_provider
from tests.shop.stripe_fixture import SETTINGS, StripeServer, running_stripe


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[StripeServer]:
    with running_stripe() as server:
        yield server


@pytest.fixture
def with_stripe(stripe_server: StripeServer, settings: Settings) -> StripeServer:
    """Stripe is the way to pay, and it is ours."""
    for name, value in (SETTINGS | {"STRIPE_API_BASE": stripe_server.url}).items():
        setattr(settings, name, value)
    return stripe_server


@pytest.fixture(params=["demo", "stripe"])
def bank(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Provider:
    if request.param == "demo":
        return demo_provider(monkeypatch)
    return stripe_provider(request.getfixturevalue("with_stripe"))
