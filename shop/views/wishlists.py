"""The wishlist: its page, the hearts on products, and how many there are."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shop import carts, catalogue, wishlists
from shop.models import Product
from shop.ratelimits import Limit, by_account, by_address_of_guests, limited
from shop.views.carts import tell
from shop.views.fragments import is_for_a_script

#: A finger that cannot decide, and not a script.
WISH_LIMITS = (Limit("120/5m", by_account), Limit("240/5m", by_address_of_guests))


@never_cache
@require_safe
def wishlist(request: HttpRequest) -> HttpResponse:
    products = wishlists.products(request=request)
    return render(request, "shop/wishlist.html", {"products": products})


@never_cache
@require_safe
def hearts(request: HttpRequest) -> HttpResponse:
    """What the hearts of a page need to know, in one answer: pages themselves say nothing about who looks."""
    slugs = wishlists.slugs(request=request)
    return JsonResponse({"products": slugs, "token": get_token(request)})


@never_cache
@require_safe
def count(request: HttpRequest) -> HttpResponse:
    """The fragment with the number; nothing at all while there is none."""
    context = {"count": len(wishlists.product_ids(request=request))}
    return render(request, "shop/fragments/wish_count.html", context)


@never_cache
@limited("wish", *WISH_LIMITS)
@require_http_methods(["GET", "POST"])
def wish(request: HttpRequest, slug: str) -> HttpResponse:
    """A product's heart: a page that asks for those without JavaScript, and what a press does."""
    product = _product(slug)
    is_wished = product.pk in wishlists.product_ids(request=request)
    if request.method == "GET":
        return render(request, "shop/wish.html", {"product": product, "is_wished": is_wished})
    if request.POST.get("action") == "remove":
        wishlists.remove(request=request, product=product)
        is_wished = False
    else:
        is_wished = wishlists.add(request=request, product=product)
        if not is_wished:
            messages.error(request, _("Your wishlist is full."))
    if is_for_a_script(request):
        found = len(wishlists.product_ids(request=request))
        return JsonResponse({"is_wished": is_wished, "count": found})
    return HttpResponseRedirect(_back(request) or reverse("shop:wishlist"))


@never_cache
@limited("wish", *WISH_LIMITS)
@require_POST
def move(request: HttpRequest, slug: str) -> HttpResponse:
    """Put one of a product's variants into the cart, and take the product off the list."""
    product = _product(slug)
    variant = product.variants.filter(sku=request.POST.get("sku", ""), is_active=True).first()
    if variant is None:
        messages.error(request, _("Choose which one you want."))
        return redirect("shop:wishlist")
    cart = carts.find_or_open(request=request)
    outcome = carts.add(cart=cart, sku=variant.sku, quantity=1)
    tell(request, outcome, done=_("{name} is in your cart."))
    if isinstance(outcome, carts.Changed):
        wishlists.remove(request=request, product=product)
    return redirect("shop:wishlist")


def _product(slug: str) -> Product:
    return get_object_or_404(catalogue.published().prefetch_related(None), slug=slug)


def _back(request: HttpRequest) -> str:
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return back if is_ours else ""


urlpatterns = [
    path("wishlist/", wishlist, name="wishlist"),
    path("wishlist/hearts/", hearts, name="wish-hearts"),
    path("wishlist/count/", count, name="wish-count"),
    path("wishlist/products/<slug:slug>/", wish, name="wish"),
    path("wishlist/products/<slug:slug>/move/", move, name="wish-move"),
]
