"""The back office, one module a subject."""

from shop.admin import accounts, catalogue, orders, payments

__all__ = ["accounts", "catalogue", "orders", "payments"]
