"""The cart: a page, and buttons that come back to it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_countries import countries

from shop import cart_news, carts, checkout, drafts, quotes
from shop.discounts import Buyer
from shop.forms import AddToCartForm, QuantityForm
from shop.models import CartLine, User
from shop.origins import from_our_pages

#: Where the session keeps what was taken out last, until the cart was looked at.
REMOVED_KEY = "cart_removed"


@never_cache
@require_safe
def cart(request: HttpRequest) -> HttpResponse:
    contents = carts.contents_of(request=request)
    context = {
        "cart_lines": contents.lines,
        "saved_lines": contents.saved,
        "gone_lines": contents.gone,
        "news": cart_news.tell(contents),
        "cart_count": sum(line.quantity for line in contents.lines),
        "removed": request.session.pop(REMOVED_KEY, None),
    }
    if contents.lines:
        context |= _priced(request, contents)
    return render(request, "shop/cart.html", context)


def _priced(request: HttpRequest, contents: carts.Contents) -> dict[str, object]:
    """What it comes to, as far as is known where it goes."""
    draft, country = drafts.of(request), drafts.country_of(request, home=contents.home or "")
    user = request.user if isinstance(request.user, User) else None
    quote = quotes.quote(
        lines=checkout.order_lines(contents),
        country=country,
        delivery=draft.delivery,
        code=draft.discount_code,
        buyer=Buyer(user=user, email=drafts.email_of(request)),
    )
    return {
        "quote": quote,
        "discount_code": draft.discount_code,
        "country_name": countries.name(country),
    }


@require_POST
def discount(request: HttpRequest) -> HttpResponse:
    is_removal = request.POST.get("action") == "remove-code"
    drafts.keep_code(request, "" if is_removal else request.POST.get("discount_code", ""))
    return redirect("shop:cart")


@require_POST
@from_our_pages
def add(request: HttpRequest) -> HttpResponse:
    form = AddToCartForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Choose a number from 1 to %(most)s.") % {"most": carts.MAX_QUANTITY}
        )
        return redirect("shop:cart")
    outcome = carts.add(
        cart=carts.find_or_open(request=request),
        sku=form.cleaned_data["sku"],
        quantity=form.cleaned_data["quantity"],
    )
    tell(request, outcome, done=_("{name} is in your cart."))
    return redirect("shop:cart")


@require_POST
def update(request: HttpRequest, pk: int) -> HttpResponse:
    _refuse_anothers(request, pk)
    form = QuantityForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, _("Choose a number from 0 to %(most)s.") % {"most": carts.MAX_QUANTITY}
        )
        return redirect("shop:cart")
    quantity = form.cleaned_data["quantity"]
    if quantity == 0:
        return _remove(request, pk)
    outcome = carts.set_quantity(
        cart=carts.find_or_open(request=request), line_pk=pk, quantity=quantity
    )
    tell(request, outcome, done=_("Your cart is up to date."))
    return redirect("shop:cart")


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    _refuse_anothers(request, pk)
    return _remove(request, pk)


@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    _refuse_anothers(request, pk)
    saved = carts.save_for_later(cart=carts.find_or_open(request=request), line_pk=pk)
    if saved is None:
        messages.error(request, _("This is not in your cart any more."))
    else:
        text = _("%(name)s waits below for later.") % {"name": saved.full_name}
        messages.success(request, text)
    return redirect("shop:cart")


@require_POST
def take(request: HttpRequest, pk: int) -> HttpResponse:
    _refuse_anothers(request, pk)
    outcome = carts.take_back(cart=carts.find_or_open(request=request), line_pk=pk)
    tell(request, outcome, done=_("{name} is in your cart."))
    return redirect("shop:cart")


def _refuse_anothers(request: HttpRequest, pk: int) -> None:
    """Another shopper's line does not exist; one that another tab took out is told by the cart."""
    if CartLine.objects.filter(pk=pk).exclude(cart=carts.find(request=request)).exists():
        raise Http404("There is no such line in your cart.")


def _remove(request: HttpRequest, pk: int) -> HttpResponse:
    outcome = carts.remove(cart=carts.find_or_open(request=request), line_pk=pk)
    if isinstance(outcome, carts.Refused):
        messages.error(request, outcome.reason)
    else:
        request.session[REMOVED_KEY] = {
            "sku": outcome.variant.sku,
            "name": outcome.variant.full_name,
            "quantity": outcome.wanted,
        }
    return redirect("shop:cart")


def tell(request: HttpRequest, outcome: carts.Changed | carts.Refused, *, done: str) -> None:
    """Say what became of a change of the cart, on the next page."""
    if isinstance(outcome, carts.Refused):
        messages.error(request, outcome.reason)
    elif outcome.is_less:
        messages.warning(
            request,
            _(
                "You can have %(quantity)s of %(name)s, not %(wanted)s: your cart has %(quantity)s now."
            )
            % {
                "quantity": outcome.quantity,
                "name": outcome.variant.full_name,
                "wanted": outcome.wanted,
            },
        )
    else:
        messages.success(request, done.format(name=outcome.variant.full_name))


urlpatterns = [
    path("cart/", cart, name="cart"),
    path("cart/add/", add, name="cart-add"),
    path("cart/lines/<int:pk>/", update, name="cart-update"),
    path("cart/lines/<int:pk>/remove/", remove, name="cart-remove"),
    path("cart/lines/<int:pk>/save/", save, name="cart-save"),
    path("cart/lines/<int:pk>/take/", take, name="cart-take"),
    path("cart/discount/", discount, name="cart-discount"),
]
