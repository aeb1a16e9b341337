"""The back office of the stockroom, one module a subject."""

from inventory.admin import audits, ledger, stock

__all__ = ["audits", "ledger", "stock"]
