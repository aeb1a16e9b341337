"""The back office of the stockroom, one module a subject."""

from inventory.admin import ledger, stock

__all__ = ["ledger", "stock"]
