"""How often one shopper, one browser and one address may knock at the sale's doors.

Shoppers are counted by the signed cookie, so counting reads no session row and no user row. An address may
be a whole campus: its limits only stop a machine gun.
"""

from django.http import HttpRequest

from flashsale.shoppers import Shopper, identify
from shop.ratelimits import Limit, by_address, by_session


def by_shopper(request: HttpRequest) -> str | None:
    named = request.user.id if isinstance(request.user, Shopper) else identify(request)
    return str(named) if named else None


#: Joining and asking to enter: a browser does each once, and again after a refusal.
LINE_LIMITS = (
    Limit("60/m", by_shopper),
    Limit("120/m", by_session),
    Limit("12000/m", by_address),
)
#: Clicks on Buy. A shopper who means it needs a few.
BUY_LIMITS = (
    Limit("20/m", by_shopper),
    Limit("60/m", by_session),
    Limit("12000/m", by_address),
)
