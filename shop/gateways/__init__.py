"""Payment providers behind one small protocol. Adding one is a module and a line in `GATEWAYS`."""

from collections.abc import Iterable

from django.conf import settings

from shop.gateways.demo import DemoGateway
from shop.gateways.protocol import (
    ActionRequired,
    AlreadyCaptured,
    AmountDiffers,
    Authorised,
    BadMethod,
    BadSignature,
    Declined,
    EventKind,
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    Money,
    ParsedEvent,
    Pending,
    Prepared,
    Status,
    View,
)
from shop.gateways.stripe import StripeGateway

__all__ = [
    "GATEWAYS",
    "ActionRequired",
    "AlreadyCaptured",
    "AmountDiffers",
    "Authorised",
    "BadMethod",
    "BadSignature",
    "Declined",
    "EventKind",
    "Gateway",
    "GatewayRefused",
    "GatewayUnavailable",
    "Money",
    "ParsedEvent",
    "Pending",
    "Prepared",
    "Status",
    "UnknownGateway",
    "View",
    "fields_of",
    "find",
    "offered",
]

#: Every gateway there is, by the name that `settings.PAYMENT_GATEWAYS` switches it on with.
GATEWAYS: dict[str, Gateway] = {"demo": DemoGateway(), "stripe": StripeGateway()}


class UnknownGateway(LookupError):
    """No gateway of this name is switched on here."""


def offered() -> list[str]:
    """The names of the gateways that take payments here, the preferred one first."""
    return [name for name in settings.PAYMENT_GATEWAYS if name in GATEWAYS]


def fields_of(names: Iterable[str]) -> list[str]:
    """The names of what these gateways ask the shopper."""
    return [field for name in names for field in find(name).form_fields()]


def find(name: str) -> Gateway:
    """The gateway of that name. Raises `UnknownGateway`."""
    if name not in offered():
        raise UnknownGateway(f"No payment gateway is called {name!r} here.")
    return GATEWAYS[name]
