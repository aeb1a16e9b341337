"""Accounts: what happens at sign-in, who may do what here, and a shopper's orders and address book."""

from fnmatch import fnmatch

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import get_language

from shop import carts, wishlists
from shop.models import Address, LineItem, Order, User
from shop.models.accounts import PostalAddress
from shop.ratelimits import client_address


class AccountAdapter(DefaultAccountAdapter):
    """allauth's way into the shop."""

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in, in the language of the page; what a guest had collected joins the shopper's cart and wishlist."""
        guest_cart_id = request.session.get(carts.SESSION_KEY)
        guest_wishes = request.session.get(wishlists.SESSION_KEY)
        super().login(request, user)
        remember_language(user=user, language=get_language() or "")
        if guest_cart_id:
            carts.merge(guest_cart_id=guest_cart_id, user=user)
            request.session.pop(carts.SESSION_KEY, None)
        if guest_wishes:
            wishlists.merge(guest_product_ids=guest_wishes, user=user)
            request.session.pop(wishlists.SESSION_KEY, None)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)


def needs_second_factor(user: User | AnonymousUser) -> bool:
    """Whether somebody who works here still has to set up a second factor before entering the admin.

    An account that has one cannot sign in without it, so having it is having used it.
    """
    return settings.STAFF_SECOND_FACTOR and not is_mfa_enabled(user)


def ensure_groups() -> None:
    """Give the groups of `settings.GROUPS` exactly the permissions that their patterns name.

    Runs after `migrate`, which makes the permissions. Repeating it changes nothing.

    Raises:
        ImproperlyConfigured: a pattern names no permission.
    """
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for name, patterns in settings.GROUPS.items():
        granted = set()
        for pattern in patterns:
            matching = [row for code, row in permissions.items() if fnmatch(code, pattern)]
            if not matching:
                raise ImproperlyConfigured(
                    f"GROUPS gives {name} {pattern!r}, and no permission is called that. "
                    "Run `manage.py migrate`, or correct the name."
                )
            granted.update(matching)
        Group.objects.get_or_create(name=name)[0].permissions.set(granted)


def find_orders(*, user: User, query: str) -> QuerySet[Order]:
    """A shopper's orders, the newest first: all, or those whose reference or things are called like this."""
    if not query:
        return user.orders.all()
    named = LineItem.objects.filter(Q(name__icontains=query) | Q(sku__iexact=query))
    return user.orders.filter(
        Q(reference__icontains=query) | Exists(named.filter(order=OuterRef("pk")))
    )


def remember_language(*, user: User, language: str) -> None:
    """What they read the shop in: mails that have no order are written in it."""
    User.objects.filter(pk=user.pk).exclude(language=language).update(language=language)


def save_address(*, user: User, address: Address) -> None:
    """Keep an address in the shopper's book, once. The first one, and one so marked, is used first."""
    with transaction.atomic():
        # Two tabs that each mark an address would leave two marked ones.
        User.objects.select_for_update().get(pk=user.pk)
        if address.pk is None:
            written = {
                field.name: getattr(address, field.name) for field in PostalAddress._meta.fields
            }
            same = Address.objects.filter(user=user, **written).first()
            if same is not None:
                same.is_default |= address.is_default
                address = same
        others = Address.objects.filter(user=user).exclude(pk=address.pk)
        address.user = user
        address.is_default = address.is_default or not others.filter(is_default=True).exists()
        if address.is_default:
            others.update(is_default=False)
        address.save()


def delete_address(*, address: Address) -> None:
    """Take an address out of the book; the newest of the others is used first then."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=address.user_id)
        address.delete()
        others = Address.objects.filter(user=address.user_id)
        if not others.filter(is_default=True).exists() and (newest := others.first()):
            Address.objects.filter(pk=newest.pk).update(is_default=True)
