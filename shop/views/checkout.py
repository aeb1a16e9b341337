"""The checkout page: one form and one way to an order, for carts and for whoever brings lines of their own.

Its buttons send one form. All but the last keep what was typed and come back to the page, which is then priced
anew: without JavaScript by a reload, with it in place (static/js/checkout.js).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from shop import accounts, carts, checkout, drafts, payments, quotes
from shop.checkout import (
    CartChanged,
    CodeRefused,
    HoldEnded,
    NotDelivered,
    OrderLine,
    Placed,
    Refusal,
    Short,
    TooManyUnpaid,
    TotalChanged,
)
from shop.checkout_forms import CheckoutForm
from shop.discounts import Buyer
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.models import Address, Cart, Order, User
from shop.ratelimits import Limit, by_address_of_guests, by_session_of_guests, enforce, of_shoppers
from shop.templatetags.shop import money
from shop.views import payments as payment_views
from shop.views.orders import SESSION_KEY as OWN_ORDERS
from shop.views.orders import remember

#: Tries to order: enough for slips of the finger, too few to try stolen cards out.
CHECKOUT_LIMITS = of_shoppers(each="30/5m", address="200/5m")
#: Orders from the shelf that guests may place while the first of them holds its units: of one browser, which
#: `MAX_UNPAID_ORDERS` limits as well, and of one address, which a whole campus may share.
GUEST_ORDER_LIMITS = (
    Limit(f"10/{settings.ORDER_HOLD_SECONDS}s", by_session_of_guests),
    Limit(f"200/{settings.ORDER_HOLD_SECONDS}s", by_address_of_guests),
)
#: Changes of the form on the way there; a script that follows the country's field makes many.
UPDATE_LIMITS = of_shoppers(each="120/5m", address="1200/5m")


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held for the shopper who checks out: until when, and what gives them more time, if anything may."""

    expires_at: datetime
    extend: Callable[[], None] | None = None
    extension_seconds: int | None = None


@never_cache
@require_http_methods(["GET", "POST"])
def cart_checkout(request: HttpRequest) -> HttpResponse:
    cart = carts.find(request=request)
    if cart is not None and request.method == "POST":
        known = _placed_before(request, cart)
        if known is not None:
            return _see_order(request, known)
    lines = checkout.lines_of(cart)
    if cart is None or not lines:
        messages.info(request, _("Your cart is empty: there is nothing to order."))
        return redirect("shop:cart")
    return checkout_page(request, lines=lines, cart=cart, cancel_url=reverse("shop:cart"))


def checkout_page(
    request: HttpRequest,
    *,
    lines: Sequence[OrderLine],
    cancel_url: str,
    key: UUID | None = None,
    cart: Cart | None = None,
    hold: Hold | None = None,
    on_placed: Callable[[Order], None] | None = None,
    steps: Sequence[object] = (),
) -> HttpResponse:
    """Show the checkout of `lines`, or place the order and start its payment.

    Args:
        lines: what is ordered, at the server's prices.
        cancel_url: where somebody goes who does not want it after all.
        key: the attempt; without one it is made from `cart` and the form's own number.
        cart: the cart that `lines` came from; it is emptied of them.
        hold: the end of the reservations that `lines` bring; shown as a countdown.
        on_placed: see `checkout.place_order`.
        steps: where the shopper is, for `partials/steps.html`.
    """
    user = request.user if isinstance(request.user, User) else None
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None:
        answer = _keep(request, data, hold)
        if answer is not None:
            return answer
    draft = drafts.of(request)
    initial = _initial(request, user)
    form = CheckoutForm(data, user=user, initial=initial)
    status, own_orders = 200, list[Order]()
    if data is not None:
        status = 422
        if form.is_valid():
            if cart is not None:
                enforce(request=request, name="guest-order", limits=GUEST_ORDER_LIMITS)
            outcome = checkout.place_order(
                key=key or _key(cart, form.cleaned_data["attempt"]),
                user=user,
                email=user.email if user else form.cleaned_data["email"],
                address=form.address,
                lines=lines,
                wishes=form.wishes(draft),
                known=request.session.get(OWN_ORDERS, []),
                cart=cart,
                extension_seconds=hold.extension_seconds if hold else None,
                on_placed=on_placed,
            )
            if isinstance(outcome, Placed):
                return _go_on(request, outcome.order, form)
            if isinstance(outcome, HoldEnded):
                messages.error(
                    request, _("The time was over before you ordered. Nothing is charged.")
                )
                return _see(cancel_url)
            if isinstance(outcome, Short):
                own_orders = _own_unpaid(request, user, outcome)
            if isinstance(outcome, TooManyUnpaid):
                own_orders = list(outcome.orders)
            is_conflict = isinstance(outcome, Short | CartChanged | TooManyUnpaid)
            status = 409 if is_conflict else 422
            form.add_error(*_explain(outcome))
    quote = quotes.quote(
        lines=lines,
        country=drafts.country_of(request) if data is not None else str(initial["country"]),
        delivery=draft.delivery,
        code=draft.discount_code,
        buyer=Buyer(user=user, email=drafts.email_of(request)),
    )
    form.initial["seen_total"] = quote.total
    if data is not None:
        data["seen_total"] = str(quote.total)  # from here on it is the one that was seen
    context = {
        "form": form,
        "quote": quote,
        "discount_code": draft.discount_code,
        "addresses": list(user.addresses.all()) if user else [],
        "own_orders": own_orders,
        "hold_expires_at": hold.expires_at if hold else None,
        # Not the function itself: a template calls what it can, and would extend the hold by showing it.
        "can_extend": hold is not None and hold.extend is not None,
        "server_now": timezone.now(),
        "cancel_url": cancel_url,
        "terms_url": settings.TERMS_URL,
        "submit_label": _("Order and pay %(total)s") % {"total": money(quote.total)}
        if quote.total
        else _("Complete the order"),
        "steps": steps,
    }
    return render(request, "shop/checkout.html", context, status=status)


def _keep(request: HttpRequest, data: QueryDict, hold: Hold | None) -> HttpResponse | None:
    """Keep what was typed, and do what the pressed button says; None when it is the one that orders."""
    action, _, argument = data.get("action", "order").partition(":")
    is_order = action == "order"
    name, limits = ("checkout", CHECKOUT_LIMITS) if is_order else ("update", UPDATE_LIMITS)
    enforce(request=request, name=name, limits=limits)
    drafts.keep(request)
    match action:
        case "order":
            return None
        case "remove-code":
            drafts.keep_code(request, "")
        case "address":
            drafts.put_address(request, _address(request, argument))
        case "edit-address" if (address := _address(request, argument)) is not None:
            back = urlencode({"next": f"{request.path}?address={address.pk}"})
            return _see(f"{reverse('shop:address-edit', args=[address.pk])}?{back}")
        case "sign-in":
            return _see(f"{reverse('account_login')}?{urlencode({'next': request.path})}")
        case "extend" if hold is not None and hold.extend is not None:
            hold.extend()
    return _see(request.path)


def _address(request: HttpRequest, pk: str) -> Address | None:
    """An address of the shopper's own book."""
    if not isinstance(request.user, User) or not (pk.isascii() and pk.isdigit()):
        return None
    return next((row for row in request.user.addresses.all() if str(row.pk) == pk), None)


def _go_on(request: HttpRequest, order: Order, form: CheckoutForm) -> HttpResponse:
    """The order stands; its payment may still fail, and is tried again on the order's page."""
    if order.user is not None and form.keeps_address:
        accounts.save_address(user=order.user, address=form.save(commit=False))
    drafts.forget(request)
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


def _explain(outcome: Refusal) -> tuple[str | None, list[str]]:
    """The field that has to change, or None, and what to tell the shopper."""
    match outcome:
        case Short(shortages=shortages):
            return None, [
                (
                    _("Of %(sku)s you want %(wanted)s, and %(available)s can be had.")
                    if shortage.available
                    else _("Of %(sku)s you want %(wanted)s, and none is left.")
                )
                % asdict(shortage)
                for shortage in shortages
            ]
        case NotDelivered(offers=[]):
            return "country", [_("We do not deliver there. Choose another country.")]
        case NotDelivered():
            return None, [_("This way of delivery does not go there. Choose one of those below.")]
        case CodeRefused(reason=reason):
            return None, [_("%(reason)s Remove the code, or try another one.") % {"reason": reason}]
        case TooManyUnpaid(orders=unpaid):
            return None, [
                _(
                    "You have %(count)s orders that wait for their payment, and their goods are held for you. "
                    "Pay or cancel one of them before you order more."
                )
                % {"count": len(unpaid)}
            ]
        case TotalChanged(total=total):
            return None, [
                _("The price has changed: it is %(total)s now. Order if you agree.")
                % {"total": money(total)}
            ]
        case _:
            return None, [_("Your cart has changed meanwhile. Look at it again before you order.")]


def _own_unpaid(request: HttpRequest, user: User | None, short: Short) -> list[Order]:
    """Unpaid orders of the shopper's own that hold what is short: it can be paid for there."""
    return checkout.unpaid_with(
        skus=[shortage.sku for shortage in short.shortages],
        user=user,
        known=request.session.get(OWN_ORDERS, []),
    )


def _initial(request: HttpRequest, user: User | None) -> dict[str, Any]:
    """The saved address that was chosen (`?address=`), what was typed, or the address that is used first."""
    typed = drafts.of(request).typed
    initial: dict[str, Any] = dict(typed) | {"country": drafts.country_of(request)}
    if user is None:
        return initial
    book: list[Address] = list(user.addresses.all())
    address = _address(request, request.GET.get("address", ""))
    if address is None and not drafts.of(request).has_address:
        address = book[0] if book and not typed.get("save_address") else None
        initial["recipient"] = user.name
    if address is not None:
        initial |= {name: getattr(address, name) for name in ADDRESS_AUTOCOMPLETE}
    return initial


urlpatterns = [
    path("checkout/", cart_checkout, name="checkout"),
    *payment_views.urlpatterns,
]
