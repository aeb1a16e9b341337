"""What a shopper has typed at the checkout so far, kept in the session until the order is placed.

It survives a reload, a second tab and signing in half way (the session's data stays, under a new key). Cards
are never in it, and it ends with the order, or with signing out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django_countries import countries

from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.models import Address, User
from shop.ratelimits import Limit, by_account, by_address, by_session, enforce

SESSION_KEY = "checkout"
#: Fields that are kept, and how many signs of each.
KEPT = {
    "email": 254,
    **dict.fromkeys(ADDRESS_AUTOCOMPLETE, 200),
    "note": 500,
    "delivery": 10,
    "terms": 5,
    "save_address": 5,
}
CODE_LENGTH = 40
#: Tries of a discount code: enough for every spelling of one's own, too few to find another's.
CODE_LIMITS = (
    Limit("15/10m", by_account),
    Limit("15/10m", by_session),
    Limit("60/10m", by_address),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is kept. `typed` holds the form's fields by name."""

    typed: Mapping[str, str]
    discount_code: str = ""

    @property
    def delivery(self) -> int | None:
        chosen = self.typed.get("delivery", "")
        return int(chosen) if chosen.isascii() and chosen.isdigit() else None

    @property
    def has_address(self) -> bool:
        return any(self.typed.get(name) for name in ADDRESS_AUTOCOMPLETE if name != "country")


def of(request: HttpRequest) -> Draft:
    kept = request.session.get(SESSION_KEY, {})
    return Draft(typed=kept.get("typed", {}), discount_code=kept.get("discount_code", ""))


def keep(request: HttpRequest) -> None:
    """Keep what the checkout's form was sent with, valid or not.

    Raises:
        TooManyRequestsError: too many discount codes were tried; the rest is kept.
    """
    posted = {name: request.POST.get(name, "").replace("\x00", "") for name in KEPT}
    typed = {name: posted[name][:length] for name, length in KEPT.items()}
    _store(request, typed=typed)
    if "discount_code" in request.POST:
        keep_code(request, request.POST["discount_code"])


def keep_code(request: HttpRequest, code: str) -> None:
    """Keep a discount code to be judged; empty: none.

    Raises:
        TooManyRequestsError: too many were tried. The code is not kept, so it is not judged.
    """
    code = code.strip().upper()[:CODE_LENGTH]
    if code and code != of(request).discount_code:
        enforce(request=request, name="discount-code", limits=CODE_LIMITS)
    _store(request, discount_code=code)


def put_address(request: HttpRequest, address: Address | None) -> None:
    """Fill the address in from the book; None empties it, for a new one that is to be kept."""
    typed = dict(of(request).typed)
    for name in ADDRESS_AUTOCOMPLETE:
        typed[name] = str(getattr(address, name)) if address else ""
    typed["country"] = typed["country"] or settings.COUNTRY
    typed["save_address"] = "" if address else "on"
    _store(request, typed=typed)


def forget(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)


def country_of(request: HttpRequest, *, home: str | None = None) -> str:
    """Where it goes, as far as is known: what was typed, the first address of the book, the shop's country.

    `home` is the country of that address where it was looked up already, empty when there is none.
    """
    typed = of(request).typed.get("country", "")
    if typed in countries:
        return typed
    if home is None and isinstance(request.user, User):
        address = request.user.addresses.first()
        home = str(address.country) if address else ""
    return home or settings.COUNTRY


def email_of(request: HttpRequest) -> str:
    if isinstance(request.user, User):
        return request.user.email
    return of(request).typed.get("email", "")


def _store(request: HttpRequest, **changes: object) -> None:
    request.session[SESSION_KEY] = {**request.session.get(SESSION_KEY, {}), **changes}
