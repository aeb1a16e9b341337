"""Discount codes: what one takes off an order, why it does not count, and how its uses are counted.

A look at a code (`judge`) promises nothing. The use is counted by one conditional UPDATE in the transaction
that places the order (`use`), after its stock rows: the code's row is the last that a transaction takes. The
use comes back when the order is given up before it was paid, and with it the unit of the limit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_noop

from shop.models import DiscountCode, DiscountUse, Order, User
from shop.money import percent_of, spread
from shop.order_lines import OrderLine
from shop.templatetags.shop import money

Kind = DiscountCode.Kind

#: What a code may look like; anything else is not looked up.
CODE = re.compile(r"[A-Z0-9-]{1,32}")
UNKNOWN = gettext_noop("We do not know this code. Check its spelling.")
USED_UP = gettext_noop("This code was used as often as it may be.")
#: Why a late payment goes back though its units were free.
CODE_GONE = gettext_noop(
    "The payment came after its time, and its discount code was used up by then. It goes back."
)
USED_BY_YOU = gettext_noop("You have used this code as often as one person may.")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who orders, as far as it is known yet: the limit per customer counts both."""

    user: User | None = None
    email: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A code that counts: what it takes off each line, in the lines' order."""

    code: DiscountCode
    shares: Sequence[Decimal]

    @property
    def frees_delivery(self) -> bool:
        return self.code.kind == Kind.FREE_SHIPPING


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """A code that does not count; `reason` tells the shopper why."""

    reason: str


def judge(
    *, code: str, lines: Sequence[OrderLine], buyer: Buyer, now: datetime
) -> Applied | CodeRefused:
    """What a code would take off these lines now, or why it does not count. `code` is as it was typed."""
    used = _uses_of(buyer).filter(code=OuterRef("pk")).order_by().values("code")
    counted = Coalesce(Subquery(used.annotate(uses=Count("pk")).values("uses")), 0)
    found = _named(code).annotate(uses_of_buyer=counted).first()
    if found is None:
        return CodeRefused(gettext(UNKNOWN))
    reason = _closed(found, now) or _used(found, found.uses_of_buyer) or _too_little(found, lines)
    if reason:
        return CodeRefused(reason)
    counting = [
        line.total if found.includes_sale_items or not line.is_reduced else Decimal(0)
        for line in lines
    ]
    if not any(counting):
        return CodeRefused(gettext("This code does not count for sales and reduced goods."))
    return Applied(code=found, shares=_shares(found, counting))


def use(*, applied: Applied, order: Order) -> CodeRefused | None:
    """Count this order's use of the code, in the transaction that places it; None, or why that cannot be.

    The UPDATE carries the limit and holds the code's row until the commit: who comes at the same moment waits
    for it, and then counts this use, too.
    """
    code = applied.code
    taken = DiscountCode.objects.filter(
        Q(max_uses=None) | Q(uses__lt=F("max_uses")), pk=code.pk, is_active=True
    )
    if not taken.update(uses=F("uses") + 1):
        return CodeRefused(gettext(USED_UP))
    if _is_used_by(code, Buyer(user=order.user, email=order.email)):
        return CodeRefused(gettext(USED_BY_YOU))
    DiscountUse.objects.create(code=code, order=order, email=order.email.lower())
    return None


def give_back(*, order: Order) -> None:
    """The order was given up before it was paid: its use of a code counts no more. Repeating it changes nothing."""
    used = DiscountUse.objects.filter(order=order, is_given_back=False)
    code_id = used.values_list("code_id", flat=True).first()
    if code_id is not None and used.update(is_given_back=True):
        DiscountCode.objects.filter(pk=code_id).update(uses=F("uses") - 1)


def take_again(*, order: Order) -> bool:
    """The order comes back, late: count its use once more.

    False when somebody else has had it meanwhile, or the same customer with another order.
    """
    given_back = DiscountUse.objects.filter(order=order, is_given_back=True).select_related("code")
    used = given_back.first()
    if used is None:
        return True
    # Held from the look to the commit: another order of this customer waits for it, and then counts this use.
    code = DiscountCode.objects.select_for_update(no_key=True).get(pk=used.code_id)
    if _is_used_by(code, Buyer(user=order.user, email=used.email)):
        return False
    taken = DiscountCode.objects.filter(Q(max_uses=None) | Q(uses__lt=F("max_uses")), pk=code.pk)
    if not taken.update(uses=F("uses") + 1):
        return False
    given_back.update(is_given_back=False)
    return True


def _closed(code: DiscountCode, now: datetime) -> str:
    if not code.is_active:
        return gettext("This code is not valid any more.")
    if code.starts_at is not None and now < code.starts_at:
        return gettext("This code counts from %(day)s on.") % {"day": _day(code.starts_at)}
    if code.ends_at is not None and now >= code.ends_at:
        return gettext("This code was valid until %(day)s.") % {"day": _day(code.ends_at)}
    return ""


def _used(code: DiscountCode, uses_of_buyer: int) -> str:
    if code.max_uses is not None and code.uses >= code.max_uses:
        return gettext(USED_UP)
    limit = code.max_uses_per_customer
    return gettext(USED_BY_YOU) if limit is not None and uses_of_buyer >= limit else ""


def _is_used_by(code: DiscountCode, buyer: Buyer) -> bool:
    """Whether this customer has the code as often as they may."""
    limit = code.max_uses_per_customer
    return limit is not None and _uses_of(buyer).filter(code=code).count() >= limit


def _uses_of(buyer: Buyer) -> QuerySet[DiscountUse]:
    """What this customer has used, by email address (in any case) or account."""
    who = Q(email=buyer.email.lower()) if buyer.email else Q()
    if buyer.user is not None:
        who |= Q(order__user=buyer.user)
    uses = DiscountUse.objects.filter(is_given_back=False)
    return uses.filter(who) if who else uses.none()


def _named(code: str) -> QuerySet[DiscountCode]:
    typed = code.strip().upper()
    codes = DiscountCode.objects.all()
    return codes.filter(code=typed) if CODE.fullmatch(typed) else codes.none()


def _too_little(code: DiscountCode, lines: Sequence[OrderLine]) -> str:
    missing = code.min_subtotal - sum((line.total for line in lines), Decimal(0))
    if missing <= 0:
        return ""
    return gettext("This code counts for goods of at least %(least)s: %(missing)s are missing.") % {
        "least": money(code.min_subtotal),
        "missing": money(missing),
    }


def _shares(code: DiscountCode, counting: Sequence[Decimal]) -> list[Decimal]:
    match code.kind:
        case Kind.PERCENT:
            return [percent_of(amount, code.value) for amount in counting]
        case Kind.AMOUNT:
            return spread(code.value, counting)
        case _:
            return [Decimal(0)] * len(counting)


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
