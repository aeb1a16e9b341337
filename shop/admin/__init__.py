"""The back office, one module a subject."""

from shop.admin import accounts, catalogue

__all__ = ["accounts", "catalogue"]
