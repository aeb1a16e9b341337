"""The checkout page: one form and one way to an order, for carts and for whoever brings lines of their own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from shop import accounts, carts, checkout, payments
from shop.checkout import CartChanged, HoldEnded, OrderLine, Placed, Short
from shop.checkout_forms import CheckoutForm
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.models import Address, Cart, Order, User
from shop.ratelimits import Limit, by_account, by_address_of_guests, limited
from shop.templatetags.shop import money
from shop.views import payments as payment_views
from shop.views.orders import remember

#: Tries to order: enough for slips of the finger, too few to try stolen cards out.
CHECKOUT_LIMITS = (Limit("30/5m", by_account), Limit("60/5m", by_address_of_guests))


@never_cache
@limited("checkout", *CHECKOUT_LIMITS)
@require_http_methods(["GET", "POST"])
def cart_checkout(request: HttpRequest) -> HttpResponse:
    cart = carts.find(request=request)
    if cart is not None and request.method == "POST":
        known = _placed_before(request, cart)
        if known is not None:
            return _see_order(request, known)
    lines = checkout.lines_of(cart)
    if cart is None or not lines:
        messages.info(request, "Your cart is empty: there is nothing to order.")
        return redirect("shop:cart")
    return checkout_page(request, lines=lines, cart=cart, cancel_url=reverse("shop:cart"))


def checkout_page(
    request: HttpRequest,
    *,
    lines: Sequence[OrderLine],
    cancel_url: str,
    key: UUID | None = None,
    cart: Cart | None = None,
    hold_expires_at: datetime | None = None,
    on_placed: Callable[[Order], None] | None = None,
    steps: Sequence[object] = (),
) -> HttpResponse:
    """Show the checkout of `lines`, or place the order and start its payment.

    Args:
        lines: what is ordered, at the server's prices.
        cancel_url: where somebody goes who does not want it after all.
        key: the attempt; without one it is made from `cart` and the form's own number.
        cart: the cart that `lines` came from; it is emptied of them.
        hold_expires_at: when the reservations that `lines` bring end; shown as a countdown.
        on_placed: see `checkout.place_order`.
        steps: where the shopper is, for `partials/steps.html`.
    """
    user = request.user if isinstance(request.user, User) else None
    totals = checkout.total_of(lines)
    data = request.POST.copy() if request.method == "POST" else None
    form = CheckoutForm(
        data,
        is_guest=user is None,
        initial=_initial(request, user) | {"seen_total": totals.total},
    )
    status = 200
    if data is not None:
        status = 422
        if form.is_valid() and _agrees(form, data, totals.total):
            outcome = checkout.place_order(
                key=key or _key(cart, form.cleaned_data["attempt"]),
                user=user,
                email=user.email if user else form.cleaned_data["email"],
                address=form.address,
                lines=lines,
                cart=cart,
                on_placed=on_placed,
            )
            if isinstance(outcome, Placed):
                return _go_on(request, outcome.order, form)
            if isinstance(outcome, HoldEnded):
                messages.error(request, "The time was over before you ordered. Nothing is charged.")
                return _see(cancel_url)
            status = 409
            form.add_error(None, _explain(outcome))
    context = {
        "form": form,
        "lines": lines,
        "subtotal": totals.subtotal,
        "shipping": totals.shipping,
        "total": totals.total,
        "addresses": list(user.addresses.all()) if user else [],
        "hold_expires_at": hold_expires_at,
        "server_now": timezone.now(),
        "cancel_url": cancel_url,
        "is_sale": hold_expires_at is not None,
        "submit_label": f"Order and pay {money(totals.total)}",
        "steps": steps,
    }
    return render(request, "shop/checkout.html", context, status=status)


def _go_on(request: HttpRequest, order: Order, form: CheckoutForm) -> HttpResponse:
    """The order stands; its payment may still fail, and is tried again on the order's page."""
    if order.user is not None and not order.user.addresses.exists():
        accounts.save_address(user=order.user, address=form.save(commit=False))
    payments.start(order=order, method=form.method)
    return _see_order(request, order)


def _see_order(request: HttpRequest, order: Order) -> HttpResponse:
    remember(request, order)
    return _see(order.get_absolute_url())


def _see(url: str) -> HttpResponse:
    """303: a reload of what comes next never posts again."""
    return HttpResponseRedirect(url, status=303)


def _placed_before(request: HttpRequest, cart: Cart) -> Order | None:
    """A second click comes after the first has emptied the cart: it is shown the first one's order."""
    try:
        attempt = UUID(request.POST.get("attempt", ""))
    except ValueError:
        return None
    return checkout.find(key=_key(cart, attempt))


def _key(cart: Cart | None, attempt: UUID) -> UUID:
    """An attempt counts within its own cart: nobody reaches another shopper's order by its number."""
    if cart is None:
        raise ValueError("A checkout without a cart needs a key.")
    return uuid5(cart.pk, str(attempt))


def _agrees(form: CheckoutForm, data: QueryDict, total: Decimal) -> bool:
    """Whether the total that the shopper saw is what it costs now; if not, the form says so."""
    if form.cleaned_data["seen_total"] == total:
        return True
    form.add_error(None, f"The price has changed: it is {money(total)} now. Order if you agree.")
    data["seen_total"] = str(total)
    return False


def _explain(outcome: Short | CartChanged) -> list[str]:
    if isinstance(outcome, CartChanged):
        return ["Your cart has changed meanwhile. Look at it again before you order."]
    return [
        f"Of {shortage.sku} you want {shortage.wanted}, and "
        + (f"{shortage.available} can be had." if shortage.available else "none is left.")
        for shortage in outcome.shortages
    ]


def _initial(request: HttpRequest, user: User | None) -> dict[str, Any]:
    """The saved address that was chosen (`?address=`), or the one that is used first."""
    if user is None:
        return {"country": settings.COUNTRY}
    book: list[Address] = list(user.addresses.all())
    chosen = (address for address in book if str(address.pk) == request.GET.get("address"))
    address = next(chosen, book[0] if book else None)
    if address is None:
        return {"recipient": user.name, "country": settings.COUNTRY}
    return {name: getattr(address, name) for name in ADDRESS_AUTOCOMPLETE}


urlpatterns = [
    path("checkout/", cart_checkout, name="checkout"),
    *payment_views.urlpatterns,
]
