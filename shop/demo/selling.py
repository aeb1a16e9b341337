"""How the demo delivers, and its discount codes."""

from decimal import Decimal
from typing import Any

#: Delivery: fields of the method, and of each of its rates.
METHODS: tuple[tuple[dict[str, Any], tuple[dict[str, Any], ...]], ...] = (
    (
        {"name": "Standard", "min_days": 2, "max_days": 4},
        (
            {"price": Decimal("4.90"), "max_weight_grams": 20_000},
            {
                "price": Decimal("0.00"),
                "max_weight_grams": 20_000,
                "min_subtotal": Decimal("80.00"),
            },
            {"price": Decimal("24.90")},
        ),
    ),
    (
        {
            "name": "Express",
            "min_days": 1,
            "max_days": 1,
            "countries": ["DE", "AT", "NL", "BE", "LU", "FR", "DK", "PL", "CZ"],
        },
        (
            {"price": Decimal("9.90"), "max_weight_grams": 5_000},
            {"price": Decimal("14.90"), "max_weight_grams": 20_000},
        ),
    ),
)

#: Discount codes of the demo.
CODES: dict[str, dict[str, Any]] = {
    "HELLO10": {"kind": "percent", "value": Decimal("10.00"), "max_uses_per_customer": 1},
    "TEN-OFF": {
        "kind": "amount",
        "value": Decimal("10.00"),
        "min_subtotal": Decimal("60.00"),
    },
    "SHIPFREE": {"kind": "shipping", "includes_sale_items": True},
}
