"""docs/failures.md names tests; they are there."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROWS = re.findall(
    r"^\| (\d+) \|(.+)\|$", (settings.BASE_DIR / "docs/failures.md").read_text(), re.M
)
NAMED = re.findall(r"`(\S+)::(\S+)`", " ".join(row for _, row in ROWS))


def test_every_known_failure_has_its_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 27))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_row_names_a_test_that_is_there(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (Path(settings.BASE_DIR) / path).read_text(), re.M)
