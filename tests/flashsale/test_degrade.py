from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from flashsale.models import LoadLevel

pytestmark = pytest.mark.django_db


def degrade(*arguments: str) -> str:
    out = StringIO()
    call_command("degrade", *arguments, stdout=out)
    return out.getvalue()


def test_a_level_is_held_for_some_minutes_with_a_reason() -> None:
    said = degrade("brownout", "--for", "15", "--reason", "a rush")
    assert said.startswith("Brownout: optional features off, until ")
    row = LoadLevel.objects.get()
    assert (row.level, row.reason) == ("brownout", "a rush")
    assert row.until is not None
    assert row.set_by.endswith("(command)")


def test_auto_lets_the_level_go() -> None:
    degrade("brownout", "--for", "15", "--reason", "a rush")
    assert degrade("auto") == "Normal: everything on.\n"
    row = LoadLevel.objects.first()
    assert row is not None
    assert (row.level, row.until) == ("normal", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["brownout"], "Say for how long and why"),
        (["brownout", "--for", "15"], "Say for how long and why"),
        (["brownout", "--reason", "a rush"], "Say for how long and why"),
        (["brownout", "--for", "0", "--reason", "a rush"], "between 1 and 1440"),
        (["auto", "--for", "15"], "auto has no end"),
        (["panic", "--for", "15", "--reason", "a rush"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        degrade(*arguments)
    assert not LoadLevel.objects.exists()
