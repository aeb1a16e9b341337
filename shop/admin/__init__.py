"""The back office, one module a subject."""

from shop.admin import accounts, catalogue, mails, orders, payments

__all__ = ["accounts", "catalogue", "mails", "orders", "payments"]
