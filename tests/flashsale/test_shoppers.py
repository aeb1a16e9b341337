"""Who is asking: signed values are exactly Django's, and a token is believed for a few seconds."""

import time
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core import signing
from django.db import OperationalError
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.authtoken.models import Token

from flashsale import shoppers
from flashsale.signatures import QuickSigner
from tests.away import database_away
from tests.factories import make_user


def test_what_the_quick_signer_signs_is_what_djangos_signs(settings: Settings) -> None:
    for value in ("7:ada:1", "é", ""):
        for salt in ("a", "b"):
            signed = signing.Signer(salt=salt).sign(value)
            assert QuickSigner(salt=salt).sign(value) == signed
            assert QuickSigner(salt=salt).unsign(signed) == value


@pytest.mark.parametrize(
    "spoil",
    [
        lambda signed: signed[:-1] + "~",
        lambda signed: "x" + signed,
        lambda signed: signed + "x",
        lambda signed: signed + "é",
        lambda signed: "",
        lambda signed: ":",
    ],
)
def test_the_quick_signer_refuses_what_djangos_refuses(spoil: object) -> None:
    signed = signing.Signer(salt="a").sign("7:ada:1")
    for signer in (signing.Signer(salt="a"), QuickSigner(salt="a")):
        with pytest.raises(signing.BadSignature):
            signer.unsign(spoil(signed))  # type: ignore[operator]  # one of the functions above
    with pytest.raises(signing.BadSignature):
        QuickSigner(salt="b").unsign(signed)


def test_a_changed_key_is_followed_and_an_older_one_may_still_read(settings: Settings) -> None:
    first = settings.SECRET_KEY
    signed = QuickSigner(salt="a").sign("ada")
    settings.SECRET_KEY = "another-key-of-the-same-shop"
    with pytest.raises(signing.BadSignature):
        QuickSigner(salt="a").unsign(signed)
    settings.SECRET_KEY_FALLBACKS = [first]
    assert QuickSigner(salt="a").unsign(signed) == "ada"


def test_the_cookie_names_its_shopper_and_nobody_else(settings: Settings) -> None:
    request = RequestFactory().get("/")
    shopper = uuid4()
    signed = shoppers.sign_cookie(shopper)
    request.COOKIES["shopper"] = signed
    assert shoppers.from_cookie(request) == shopper
    for forged in ("", "x", str(shopper), signed.replace(str(shopper), str(uuid4())), "é:é:é"):
        request.COOKIES["shopper"] = forged
        assert shoppers.from_cookie(request) is None


def test_a_cookie_lasts_as_long_as_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    request = RequestFactory().get("/")
    shopper = uuid4()
    request.COOKIES["shopper"] = shoppers.sign_cookie(shopper)
    later = int(time.time()) + shoppers.COOKIE_SECONDS
    monkeypatch.setattr("flashsale.shoppers.time", SimpleNamespace(time=lambda: later))
    assert shoppers.from_cookie(request) == shopper
    later += 2
    assert shoppers.from_cookie(request) is None


@pytest.mark.django_db
def test_a_token_is_looked_up_once_and_then_believed_for_some_seconds(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user()
    token = Token.objects.create(user=user)
    key = token.key
    with django_assert_num_queries(1):
        assert [shoppers.from_token(key) for _ in range(3)] == [user.shopper_id] * 3
    token.delete()
    assert shoppers.from_token(key) == user.shopper_id
    later = time.monotonic() + shoppers.TOKEN_SECONDS
    monkeypatch.setattr("flashsale.shoppers.time", SimpleNamespace(monotonic=lambda: later))
    assert shoppers.from_token(key) is None


@pytest.mark.django_db
def test_with_postgresql_away_a_token_that_was_known_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = make_user()
    token = Token.objects.create(user=user)
    monkeypatch.setattr(shoppers, "TOKEN_SECONDS", 0.0)
    assert shoppers.from_token(token.key) == user.shopper_id
    with database_away():
        assert shoppers.from_token(token.key) == user.shopper_id
        with pytest.raises(OperationalError):
            shoppers.from_token("unknown")


@pytest.mark.django_db
def test_a_closed_account_and_an_unknown_token_are_nobody() -> None:
    user = make_user(is_active=False)
    assert shoppers.from_token(Token.objects.create(user=user).key) is None
    assert shoppers.from_token("0123") is None
    assert shoppers._tokens == {}


@pytest.mark.django_db
def test_tokens_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shoppers, "MOST_TOKENS", 2)
    for _ in range(5):
        shoppers.from_token(Token.objects.create(user=make_user()).key)
        assert len(shoppers._tokens) <= 2
