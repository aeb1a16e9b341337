"""Find your order: a guest who has lost its mail asks for the link again."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from shop import order_links
from shop.forms import FindOrderForm
from shop.ratelimits import Limit, by_address, by_posted_email, limited

#: Letters that somebody else's mailbox may get, and guesses of one address.
FIND_LIMITS = (Limit("5/10m", by_posted_email), Limit("20/10m", by_address))


@never_cache
@limited("order-find", *FIND_LIMITS)
@require_http_methods(["GET", "POST"])
def find(request: HttpRequest) -> HttpResponse:
    """The form; with `?sent=1`, what happens now. Neither says whether there is such an order."""
    form = FindOrderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        order_links.ask(**form.cleaned_data)
        return HttpResponseRedirect(f"{reverse('shop:order-find')}?sent=1", status=303)
    context = {"form": form, "is_sent": "sent" in request.GET}
    return render(request, "shop/order_find.html", context, status=422 if form.errors else 200)


urlpatterns = [path("orders/find/", find, name="order-find")]
