import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from inventory import audit, stock
from inventory.models import Stock
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


#: SQL that spoils a row, and the breaches by check that name it.
SPOILS: list[tuple[str, dict[str, list[str]]]] = [
    (
        "ALTER TABLE inventory_stock DROP CONSTRAINT stock_allocated_within_on_hand;"
        "UPDATE inventory_stock SET allocated = 6",
        {
            "stock_within_bounds": ["stock MUG (main): on hand 5, allocated 6"],
            "allocated_equals_reservations": [
                "stock MUG (main): allocated 6, held and confirmed 2"
            ],
            "counters_equal_movements": [
                "stock MUG (main): on hand 5, moved 5; allocated 6, moved 2"
            ],
        },
    ),
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
        "UPDATE inventory_stock SET on_hand = 6",
        {
            "counters_equal_movements": [
                "stock MUG (main): on hand 6, moved 5; allocated 2, moved 2"
            ],
        },
    ),
    (
        "INSERT INTO inventory_stock (sku, pool, on_hand, allocated, version)"
        " VALUES ('VASE', 'main', 1, 0, 0)",
        {
            "counters_equal_movements": [
                "stock VASE (main): on hand 1, moved 0; allocated 0, moved 0"
            ],
        },
    ),
    (
        "UPDATE inventory_reservation SET quantity = 1",
        {"allocated_equals_reservations": ["stock MUG (main): allocated 2, held and confirmed 1"]},
    ),
    (
        "UPDATE inventory_reservation SET state = 'expired'",
        {"allocated_equals_reservations": ["stock MUG (main): allocated 2, held and confirmed 0"]},
    ),
    (
        "INSERT INTO inventory_holding (scope, holder, units, limit_units)"
        " VALUES ('sale:1', 'a', 1, 1)",
        {"holdings_equal_reservations": ["holding of a in sale:1: counted 1, reserved 0"]},
    ),
    (
        "UPDATE inventory_reservation SET scope = 'sale:1'",
        {"holdings_equal_reservations": ["holding of a in sale:1: counted 0, reserved 2"]},
    ),
]
NAMED = {name for _, named in SPOILS for name in named}


@pytest.mark.parametrize(("spoil", "named"), SPOILS)
def test_a_spoilt_row_is_named(spoil: str, named: dict[str, list[str]]) -> None:
    some_stock()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(spoil)
        found = {result.check.name: result.breaches for result in audit.run(scope={})}
        transaction.set_rollback(True)
    assert {name: breaches for name, breaches in found.items() if breaches} == named
    assert run_audit() == (0, {})


def test_the_command_names_the_breach_and_exits_with_1() -> None:
    some_stock()
    Stock.objects.update(on_hand=6)
    code, breaches = run_audit()
    assert code == 1
    assert list(breaches) == ["counters_equal_movements"]
