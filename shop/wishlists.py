"""Wishlists: products that somebody would like to have, some time.

A guest's is kept in the session and joins the account's own at sign-in. Wishing twice is wishing once.
"""

from collections.abc import Sequence

from django.http import HttpRequest

from shop import catalogue
from shop.models import Product, User, Wish

#: Where the session keeps the ids of a guest's products, the newest last.
SESSION_KEY = "wishes"
#: Products on one list; more is a catalogue.
MAX_WISHES = 100


def product_ids(*, request: HttpRequest) -> list[int]:
    """The products on the list of who asks, the newest first; without a query for a guest who has none."""
    if isinstance(request.user, User):
        return list(request.user.wishes.values_list("product", flat=True))
    return list(reversed(request.session.get(SESSION_KEY, [])))


def products(*, request: HttpRequest) -> list[Product]:
    """What of the list can still be seen in the shop, the newest wish first."""
    if isinstance(request.user, User):
        own = catalogue.published().filter(wishes__user=request.user)
        return catalogue.count_available(own.order_by("-wishes__added_at", "-wishes__pk"))
    ids = product_ids(request=request)
    if not ids:
        return []
    found = catalogue.count_available(catalogue.published().filter(pk__in=ids))
    return sorted(found, key=lambda product: ids.index(product.pk))


def slugs(*, request: HttpRequest) -> list[str]:
    ids = product_ids(request=request)
    if not ids:
        return []
    return list(
        catalogue.published()
        .prefetch_related(None)
        .filter(pk__in=ids)
        .values_list("slug", flat=True)
    )


def add(*, request: HttpRequest, product: Product) -> bool:
    """Put a product on the list; False when the list is full."""
    ids = product_ids(request=request)
    if product.pk in ids:
        return True
    if len(ids) >= MAX_WISHES:
        return False
    if isinstance(request.user, User):
        Wish.objects.get_or_create(user=request.user, product=product)
    else:
        request.session[SESSION_KEY] = [*reversed(ids), product.pk]
    return True


def remove(*, request: HttpRequest, product: Product) -> bool:
    """Take a product off the list; False when it was not on it."""
    if isinstance(request.user, User):
        return bool(request.user.wishes.filter(product=product).delete()[0])
    ids = request.session.get(SESSION_KEY, [])
    if product.pk not in ids:
        return False
    request.session[SESSION_KEY] = [pk for pk in ids if pk != product.pk]
    return True


def merge(*, guest_product_ids: Sequence[int], user: User) -> None:
    """Let a guest's wishes join the account's, as far as there is room; those gone from the shop are left out."""
    own = set(user.wishes.values_list("product", flat=True))
    room = max(0, MAX_WISHES - len(own))
    new = [pk for pk in guest_product_ids if pk not in own]
    there = set(Product.objects.filter(pk__in=new).values_list("pk", flat=True))
    joining = [pk for pk in new if pk in there][-room:] if room else []
    Wish.objects.bulk_create(
        (Wish(user=user, product_id=pk) for pk in joining), ignore_conflicts=True
    )
