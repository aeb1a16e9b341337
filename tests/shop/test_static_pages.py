import re

import pytest
from django.conf import settings as configured
from django.db import DatabaseError, connection
from django.template.loader import render_to_string
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from config.priorities import declared
from shop.models import Category
from shop.views.pages import PAGES

NO_DATABASE = "the database is away"


def away(*args: object) -> None:
    raise DatabaseError(NO_DATABASE)


@pytest.mark.parametrize("name", PAGES)
def test_a_static_page_is_in_the_footer_and_reads_nothing_of_its_own(
    db: None, client: Client, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # The banner's, and the cart's.
    with django_assert_max_num_queries(3):
        answer = client.get(f"/{name}/")
    assert answer.status_code == 200
    page = answer.content.decode()
    assert len(re.findall("<h1", page)) == 1
    assert f'href="/{name}/"' in page.partition("<footer")[2]
    assert declared(f"shop:page-{name}") is not None


def test_the_pages_say_what_the_settings_say(db: None, client: Client, settings: Settings) -> None:
    settings.RETURN_DAYS = 1
    settings.ORDER_HOLD_SECONDS = 900
    settings.SHOP_ADDRESS = "1 Mill Lane\n10115 Berlin"
    settings.DEFAULT_FROM_EMAIL = "Larkfold <post@larkfold.example>"
    assert b"You have 1 day after" in client.get("/delivery/").content
    assert b"for 15 minutes" in client.get("/terms/").content
    contact = client.get("/contact/").content
    assert b'href="mailto:post@larkfold.example"' in contact
    assert b"1 Mill Lane<br>10115 Berlin" in contact


def test_the_checkout_leads_to_the_shops_own_terms() -> None:
    assert configured.TERMS_URL == "/terms/"


def test_the_style_guide_is_for_development_alone(
    db: None, client: Client, settings: Settings
) -> None:
    shown = client.get("/styleguide/")
    assert shown.status_code == 200
    assert b'name="robots" content="noindex"' in shown.content
    settings.PRODUCTION = True
    assert client.get("/styleguide/").status_code == 404


def test_who_finds_nothing_can_search_and_look_around(db: None, client: Client) -> None:
    Category.objects.create(name="Light", slug="light")
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert 'action="/search/" role="search"' in page
    assert 'href="/c/light/"' in page


@pytest.mark.parametrize("name", ["400.html", "500.html", "503.html"])
def test_pages_for_when_the_database_may_be_away_ask_it_nothing(name: str) -> None:
    with connection.execute_wrapper(away):
        page = render_to_string(name)
    assert '<a class="button" href="' in page


def test_the_control_of_that_is_a_page_that_asks(db: None, client: Client) -> None:
    with connection.execute_wrapper(away), pytest.raises(DatabaseError):
        client.get("/nowhere/")
