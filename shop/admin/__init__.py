"""The back office, one module a subject."""

from shop.admin import (
    accounts,
    aftercare,
    catalogue,
    mails,
    orders,
    payments,
    reviews,
    selling,
    stock_alerts,
)

__all__ = [
    "accounts",
    "aftercare",
    "catalogue",
    "mails",
    "orders",
    "payments",
    "reviews",
    "selling",
    "stock_alerts",
]
