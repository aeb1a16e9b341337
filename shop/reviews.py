"""Reviews: written by those who bought, shown when somebody who works here has read them.

A person has one review of a product, which stays theirs: they may change it, and then it waits to be read again.
What is approved is exactly what was read: a decision names the moment at which its text was on the screen, and
leaves alone what was changed after that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now

from shop import pages
from shop.models import LineItem, Order, Product, Review, User

#: Reviews on a page of them.
PER_PAGE = 20
#: Orders whose buyers may say what they think.
BOUGHT = (Order.State.PAID, Order.State.FULFILLED)
#: Signs of a review's text: room for a page, not for a book.
LONGEST_BODY = 3000


class WhyNot(StrEnum):
    """Why somebody may not write a review."""

    GUEST = "guest"
    NOT_BOUGHT = "not_bought"


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a product's reviews gave so many stars."""

    stars: int
    count: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What the reviews that are shown say together; `shares` from five stars down to one."""

    average: float
    count: int
    shares: list[Share]


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody may do here: `why_not` is None when they may write; `own` is what they wrote."""

    why_not: WhyNot | None
    own: Review | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The review is kept, and waits to be read."""

    review: Review
    is_new: bool


def summary(*, product: Product) -> Summary:
    approved = product.reviews.filter(is_approved=True).order_by()
    counts = dict(approved.values_list("rating").annotate(number=Count("pk")))
    total = sum(counts.values())
    return Summary(
        average=sum(stars * count for stars, count in counts.items()) / total if total else 0.0,
        count=total,
        shares=[Share(stars, counts.get(stars, 0)) for stars in (5, 4, 3, 2, 1)],
    )


def shown(*, product: Product) -> QuerySet[Review]:
    """The approved reviews, the newest first, each with its writer and `is_bought`."""
    bought = _items_bought(product_id=OuterRef("product"), user_id=OuterRef("user"))
    approved = product.reviews.filter(is_approved=True).select_related("user")
    return approved.annotate(is_bought=Exists(bought)).order_by("-created_at", "-pk")


def standing(*, user: User | AnonymousUser, product: Product) -> Standing:
    if not isinstance(user, User):
        return Standing(WhyNot.GUEST)
    own = Review.objects.filter(product=product, user=user).first()
    has_bought = _items_bought(product_id=product.pk, user_id=user.pk).exists()
    return Standing(None if has_bought else WhyNot.NOT_BOUGHT, own)


def write(*, user: User, product: Product, rating: int, title: str, body: str) -> Written | WhyNot:
    """Keep what somebody thinks, in place of what they thought before; it is shown once it was read."""
    why_not = standing(user=user, product=product).why_not
    if why_not is not None:
        return why_not
    review, is_new = Review.objects.update_or_create(
        product=product,
        user=user,
        defaults={
            "rating": rating,
            "title": title,
            "body": body,
            "is_approved": False,
            "refusal": "",
            "decided_by": "",
            "decided_at": None,
            "written_at": Now(),
        },
    )
    review.refresh_from_db()
    return Written(review=review, is_new=is_new)


def remove(*, user: User, product: Product) -> bool:
    """Take one's own review back; False when there is none."""
    return bool(Review.objects.filter(user=user, product=product).delete()[0])


def decide(*, pks: Iterable[int], read_at: datetime, actor: str, refusal: str = "") -> int:
    """Approve what was read at `read_at`, or refuse it with a reason; return how many that changed.

    What its writer changed after that stays as it is: nobody has read it.
    """
    read = Review.objects.filter(pk__in=list(pks), written_at__lte=read_at)
    changed = read.exclude(is_approved=not refusal, refusal=refusal).update(
        is_approved=not refusal, refusal=refusal, decided_by=actor, decided_at=Now()
    )
    pages.forget_all()
    return changed


def _items_bought(*, product_id: int | OuterRef, user_id: int | OuterRef) -> QuerySet[LineItem]:
    """What somebody bought of a product and did not give back before it was shipped."""
    return LineItem.objects.filter(
        variant__product=product_id,
        order__user=user_id,
        order__state__in=BOUGHT,
        quantity__gt=F("released"),
    )
