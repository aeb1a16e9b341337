"""The German texts are whole, and each page speaks its reader's language while programs are spoken to in English."""

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format

from flashsale.entries import NOT_ADMITTED
from shop.models import Category
from shop.templatetags.shop import money
from tests.factories import make_sale, make_user, prove_address

FOLDER = settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)s|</?strong>")
IN_TEMPLATES = re.compile(r"""\{% translate "([^"]+)"|_\("([^"]+)"\)""")
#: What makes a text one to be translated, in Python.
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}
GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


def catalogue() -> Catalog:
    with (FOLDER / "django.po").open("rb") as file:
        return read_po(file)


def told(message: Message) -> list[str]:
    """A message's translations: one, or one for each of its plural forms."""
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def asked(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def texts_in_templates() -> Iterator[str]:
    for path in (settings.BASE_DIR / "templates").rglob("*"):
        if path.suffix in (".html", ".txt") and "admin" not in path.parts:
            for found in IN_TEMPLATES.finditer(path.read_text()):
                yield found[1] or found[2]


def texts_in_python() -> Iterator[str]:
    for room in ("shop", "flashsale"):
        for path in (settings.BASE_DIR / room).rglob("*.py"):
            if {"admin", "management", "migrations"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKS:
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value


def test_every_text_has_its_german_and_no_translation_is_a_guess() -> None:
    messages = [message for message in catalogue() if message.id]
    assert len(messages) > 700
    assert [message.id for message in messages if not all(told(message))] == []
    assert [message.id for message in messages if message.fuzzy] == []


def test_no_german_text_lacks_a_placeholder_or_has_one_too_many() -> None:
    def placeholders(text: str) -> list[str]:
        return sorted(PLACEHOLDER.findall(text))

    for message in catalogue():
        if not message.id:
            continue
        # The plural has them all; "a minute" may do without its number.
        wanted = placeholders(asked(message)[-1])
        assert placeholders(told(message)[-1]) == wanted, message.id
        for text in told(message):
            assert set(placeholders(text)) <= set(wanted), message.id


def test_the_compiled_texts_are_those_of_the_catalogue() -> None:
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    kept = compiled._catalog  # type: ignore[attr-defined]  # has no public list of its texts
    expected: dict[str | tuple[str, int], str] = {}
    for message in catalogue():
        if not message.id:
            continue
        key = f"{message.context}\x04{asked(message)[0]}" if message.context else asked(message)[0]
        if len(told(message)) == 1:
            expected[key] = told(message)[0]
        else:
            expected |= {(key, number): text for number, text in enumerate(told(message))}
    assert {key: text for key, text in kept.items() if key} == expected


def test_every_text_of_the_shop_is_in_the_catalogue() -> None:
    """`make messages` puts them there."""
    known = {text for message in catalogue() for text in asked(message)}
    found = {text.replace("\n", " ") for text in (*texts_in_templates(), *texts_in_python())}
    assert len(found) > 500
    assert sorted(found - known) == []


def test_a_page_is_in_the_language_of_the_browser(db: None, client: Client) -> None:
    english = client.get("/cart/")
    assert b"Nothing in it yet" in english.content
    german = client.get("/cart/", headers=GERMAN)
    assert b"Noch nichts darin" in german.content
    assert b'<html lang="de" dir="ltr">' in german.content
    assert german.headers["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(german.headers["Vary"].split(", "))


def test_the_choice_in_the_footer_counts_more_than_the_browser(db: None, client: Client) -> None:
    page = client.get("/search/?q=mug").content.decode()
    assert '<input type="hidden" name="next" value="/search/?q=mug">' in page
    chosen = client.post("/language/", {"language": "de", "next": "/search/?q=mug"})
    assert (chosen.status_code, chosen.headers["Location"]) == (302, "/search/?q=mug")
    cookie = chosen.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("de", True, "Lax")
    assert b"Warenkorb" in client.get("/", headers={"Accept-Language": "en"}).content


def test_an_account_remembers_what_it_signed_in_in_and_chose_last(db: None) -> None:
    user, client = make_user(), Client()
    prove_address(user)

    def kept() -> str:
        user.refresh_from_db()
        return user.language

    assert kept() == ""
    client.post("/accounts/login/", {"login": user.email, "password": "demo"}, headers=GERMAN)
    assert kept() == "de"
    client.post("/language/", {"language": "en", "next": "/"})
    assert kept() == "en"
    client.post("/language/", {"language": "xx", "next": "/"})
    assert kept() == "en"


def test_the_switch_needs_no_token_and_leads_nowhere_else(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    away = client.post("/language/", {"language": "de", "next": "https://evil.example/"})
    assert away.headers["Location"] == "/"
    unknown = client.post("/language/", {"language": "xx", "next": "/"})
    assert settings.LANGUAGE_COOKIE_NAME not in unknown.cookies


def test_programs_and_the_back_office_are_spoken_to_in_english(db: None, client: Client) -> None:
    sale = make_sale()
    paths = (f"/api/v1/sales/{sale.slug}/line/", "/api/v1/products/?page=x", "/api/v1/nothing/")
    for path in paths:
        english, german = client.get(path), client.get(path, headers=GERMAN)
        assert "Content-Language" not in german.headers
        assert "Accept-Language" not in german.headers.get("Vary", "")
        if "line" not in path:  # its clock runs on
            assert german.content == english.content
    assert b'lang="en' in client.get("/admin/login/", headers=GERMAN, follow=True).content


def test_what_is_the_same_for_everybody_has_no_language(db: None, client: Client) -> None:
    for path in ("/robots.txt", "/sitemap.xml"):
        answer = client.get(path, headers=GERMAN)
        assert "Accept-Language" not in answer.headers.get("Vary", "")
        assert "Content-Language" not in answer.headers


def test_the_language_of_a_request_does_not_outlive_it(db: None, client: Client) -> None:
    client.get("/cart/", headers=GERMAN)
    assert translation.get_language() == "en"


def test_prices_and_dates_are_written_as_the_language_does() -> None:
    day = date(2026, 11, 25)
    shown = {}
    for language in ("en", "de"):
        with translation.override(language):
            shown[language] = (money(Decimal("1234.50"), "EUR"), date_format(day))
    assert shown == {
        "en": ("€1,234.50", "25 November 2026"),
        "de": ("1.234,50\xa0€", "25. November 2026"),
    }


def test_a_form_says_what_is_wrong_in_german(db: None, client: Client) -> None:
    client.force_login(make_user())
    answer = client.post("/account/addresses/new/", {"recipient": ""}, headers=GERMAN)
    page = answer.content.decode()
    assert "Angaben brauchen noch einen Blick" in page
    assert "Straße und Hausnummer" in page
    assert "Dieses Feld ist zwingend erforderlich." in page


@pytest.mark.parametrize(
    ("path", "words"), [("/nowhere/", "Hier ist nichts"), ("/%00", "verstanden")]
)
def test_error_pages_are_in_the_readers_language(
    db: None, client: Client, path: str, words: str
) -> None:
    Category.objects.create(name="Light", slug="light")
    page = client.get(path, headers=GERMAN).content.decode()
    assert words in page
    assert '<html lang="de"' in page


def test_the_button_that_binds_says_so_in_german() -> None:
    """German law asks for these words on it (BGB, section 312j)."""
    with translation.override("de"):
        assert translation.gettext("Order and pay %(total)s").startswith(
            "Zahlungspflichtig bestellen"
        )


def test_locale_has_no_language_that_the_switch_does_not_offer() -> None:
    folders = {path.name for path in Path(settings.BASE_DIR / "locale").iterdir()}
    assert folders | {"en"} == {code for code, _ in settings.LANGUAGES}


def test_scripts_say_nothing_that_has_no_german_and_keep_nothing_that_they_do_not_say() -> None:
    scripts = settings.BASE_DIR / "static" / "js"
    words = (scripts / "words.js").read_text()
    kept = set(re.findall(r'^  "((?:[^"\\]|\\.)+)":', words, re.MULTILINE))
    others = "".join(path.read_text() for path in scripts.glob("*.js") if path.name != "words.js")
    calls = re.findall(r"said\(([^;\n]*)", others)
    used = {text for call in calls for text in re.findall(r'"([^"]{2,})"', call)}
    used |= {detail for _, detail in NOT_ADMITTED.values()}
    assert len(kept) > 20
    assert used == kept
