"""The back office of the front door, one module a subject."""

from flashsale.admin import load, purchases, sales, set_aside

__all__ = ["load", "purchases", "sales", "set_aside"]
