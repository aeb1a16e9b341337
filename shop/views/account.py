"""A shopper's own pages: orders, alerts, reviews, address book, name."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from shop import accounts
from shop.forms import AddressForm, DetailsForm
from shop.models import Address, User

#: Orders on a page of the list.
PER_PAGE = 20
#: Signs of a search for orders that are looked at.
QUERY_LENGTH = 100


@never_cache
@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    query = request.GET.get("q", "")[:QUERY_LENGTH].strip()
    found = accounts.find_orders(user=user, query=query)
    context = {
        "orders": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "order_query": query,
        "addresses": list(user.addresses.all()),
    }
    return render(request, "shop/account.html", context)


@never_cache
@login_required
@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """What the shopper waits for."""
    own = _user(request).stock_alerts.filter(ordered_at=None)
    return render(
        request, "shop/account_alerts.html", {"alerts": own.select_related("variant__product")}
    )


@never_cache
@login_required
@require_safe
def own_reviews(request: HttpRequest) -> HttpResponse:
    own = _user(request).reviews.select_related("product")
    return render(
        request,
        "shop/account_reviews.html",
        {"reviews": Paginator(own, PER_PAGE).get_page(request.GET.get("page"))},
    )


@login_required
@require_safe
def addresses(request: HttpRequest) -> HttpResponse:
    """The address book is a part of the account's page."""
    return redirect("shop:account")


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def address_new(request: HttpRequest) -> HttpResponse:
    return _edit(request, Address(user=_user(request)))


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def address_edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(_user(request).addresses, pk=pk))


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def address_delete(request: HttpRequest, pk: int) -> HttpResponse:
    address = get_object_or_404(_user(request).addresses, pk=pk)
    if request.method == "POST":
        accounts.delete_address(address=address)
        messages.success(request, _("The address is gone."))
        return redirect("shop:account")
    return render(request, "shop/address_delete.html", {"address": address})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    form = DetailsForm(request.POST or None, instance=_user(request))
    if form.is_valid():
        form.save()
        messages.success(request, _("Your name is saved."))
        return redirect("shop:account")
    return render(request, "shop/details.html", {"form": form})


def _edit(request: HttpRequest, address: Address) -> HttpResponse:
    form = AddressForm(request.POST or None, instance=address)
    if form.is_valid():
        accounts.save_address(user=_user(request), address=form.save(commit=False))
        messages.success(request, _("The address is saved."))
        return redirect(_back(request) or "shop:account")
    return render(request, "shop/address_form.html", {"form": form, "address": address})


def _back(request: HttpRequest) -> str:
    """Where `?next=` leads, if that is a page of ours."""
    back = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return back if is_ours else ""


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


urlpatterns = [
    path("account/", account, name="account"),
    path("account/addresses/", addresses, name="addresses"),
    path("account/addresses/new/", address_new, name="address-new"),
    path("account/addresses/<int:pk>/", address_edit, name="address-edit"),
    path("account/addresses/<int:pk>/delete/", address_delete, name="address-delete"),
    path("account/alerts/", alerts, name="account-alerts"),
    path("account/reviews/", own_reviews, name="account-reviews"),
    path("account/details/", details, name="details"),
]
