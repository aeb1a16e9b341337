"""The express way: the hottest calls of the JSON API are answered in front of Django, when nothing is in doubt.

It stands for the Django routes of the same addresses (`flashsale.api`) and shares with them all that decides and
answers: `clicks`, `entries`, `line_document`. Whatever it does not know for certain it hands to Django, with the body
as it came. It may do so even after a claim or a join, because the same attempt is the same purchase, and the same
shopper has the same place.

    front.py     the WSGI function: which route, the answer's bytes, Django's headers
    callers.py   who is asking
    routes.py    the calls, one function each
"""

from flashsale.express.front import in_front_of

__all__ = ["in_front_of"]
