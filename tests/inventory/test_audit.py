import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from inventory import stock
from inventory.reservations import Want, reserve

pytestmark = pytest.mark.django_db(transaction=True)


def run_audit() -> tuple[int, dict[str, list[str]]]:
    """The exit code and the breaches by check."""
    out, code = StringIO(), 0
    try:
        call_command("audit", "--json", stdout=out)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    checks = json.loads(out.getvalue())["checks"]
    return code, {check["name"]: check["breaches"] for check in checks if check["breaches"]}


def some_stock() -> None:
    stock.receive(sku="MUG", quantity=5)
    reserve(key=uuid4(), wants=[Want("MUG", 2)], holder="a", seconds=60)


def test_stock_that_agrees_passes() -> None:
    some_stock()
    assert run_audit() == (0, {})


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (
            "UPDATE inventory_stock SET allocated = 1",
            {
                "allocated_equals_reservations": [
                    "stock MUG (main): allocated 1, held and confirmed 2"
                ],
                "counters_equal_movements": [
                    "stock MUG (main): on hand 5, moved 5; allocated 1, moved 2"
                ],
            },
        ),
        (
            "UPDATE inventory_reservation SET quantity = 1",
            {
                "allocated_equals_reservations": [
                    "stock MUG (main): allocated 2, held and confirmed 1"
                ]
            },
        ),
        (
            "INSERT INTO inventory_holding (scope, holder, units, limit_units)"
            " VALUES ('sale:1', 'a', 1, 1)",
            {"holdings_equal_reservations": ["holding of a in sale:1: counted 1, reserved 0"]},
        ),
    ],
)
def test_a_spoilt_row_is_named(spoil: str, named: dict[str, list[str]]) -> None:
    some_stock()
    with connection.cursor() as cursor:
        cursor.execute(spoil)
    code, breaches = run_audit()
    assert code == 1
    assert breaches == named
