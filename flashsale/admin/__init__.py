"""The back office of the front door, one module a subject."""

from flashsale.admin import drift, load, purchases, sales, set_aside

__all__ = ["drift", "load", "purchases", "sales", "set_aside"]
