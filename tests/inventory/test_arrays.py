import pytest
from django.db import connection

from inventory.arrays import array

pytestmark = pytest.mark.django_db

AWKWARD = [
    "",
    " ",
    "NULL",
    "{}",
    "a,b",
    'say "so"',
    "back\\slash",
    '\\"',
    "it's",
    "%s",
    "line\nend",
    "é",
]


def read_back(value: str, kind: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [value])
        return cursor.fetchone()[0]


def test_what_an_array_holds_is_read_back_whatever_it_says() -> None:
    assert read_back(array(AWKWARD), "text") == AWKWARD


def test_an_array_may_be_empty_or_of_numbers() -> None:
    assert read_back(array([]), "uuid") == []
    assert read_back(array([1, -2]), "int") == [1, -2]


def test_without_the_quotes_an_element_becomes_several() -> None:
    assert read_back("{a,b}", "text") == ["a", "b"]
    assert read_back(array(["a,b"]), "text") == ["a,b"]
