"""A synthetic crowd: shoppers who come to a sale through real HTTP, as programs of their own would.

It knows the JSON API's contract and nothing of the inside. Bounded in people and time, and only ever sent to
this machine: a crowd at somebody else's door is an attack.
"""

from flashsale.crowd.people import MOST_SHOPPERS, Member, enlist
from flashsale.crowd.progress import shown
from flashsale.crowd.report import Report
from flashsale.crowd.sending import NotLoopbackError, check_address, send

__all__ = [
    "MOST_SHOPPERS",
    "Member",
    "NotLoopbackError",
    "Report",
    "check_address",
    "enlist",
    "send",
    "shown",
]
