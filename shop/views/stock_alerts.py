"""Back in stock: the panel of a sold-out variant, and where the links in mails lead."""

from functools import partial
from uuid import UUID

from allauth.account.utils import has_verified_email
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from shop import stock_alerts
from shop.forms import StockAlertForm
from shop.models import StockAlert, StockOffer, User, Variant
from shop.ratelimits import Limit, by_account, by_address, by_posted_email, limited
from shop.stock_alerts import Asked, State
from shop.views.checkout import Hold, checkout_page
from shop.views.fragments import is_for_a_script
from shop.views.orders import remember

#: Letters that somebody else's mailbox may get, and alerts of one shopper.
ALERT_LIMITS = (
    Limit("5/10m", by_posted_email),
    Limit("30/10m", by_account),
    Limit("30/10m", by_address),
)


@never_cache
@limited("stock-alert", *ALERT_LIMITS)
@require_http_methods(["GET", "POST"])
def panel(request: HttpRequest, sku: str) -> HttpResponse:
    """A page of its own; the panel for the product's page, whose script asks for it."""
    variant = get_object_or_404(
        Variant.objects.select_related("product"),
        sku=sku.replace("\x00", ""),
        is_active=True,
        product__is_published=True,
    )
    account = request.user if isinstance(request.user, User) else None
    # Who has not shown that the address is theirs is asked by mail, as a guest is.
    user = account if account and has_verified_email(account, account.email) else None
    form = StockAlertForm(
        request.POST if request.method == "POST" else None,
        user=user,
        initial={"email": account.email if account else ""},
    )
    if request.method == "POST" and form.is_valid():
        outcome = stock_alerts.ask(
            variant=variant, email=form.cleaned_data.get("email", ""), user=user
        )
        _tell(request, outcome)
        return redirect(f"{variant.product.get_absolute_url()}?variant={variant.sku}")
    waiting = account.stock_alerts.filter(variant=variant, ordered_at=None) if account else None
    own = waiting.first() if waiting else None
    is_page = request.method == "POST" or not is_for_a_script(request)
    template = "shop/stock_alert_form.html" if is_page else "shop/fragments/stock_alert.html"
    context = {"variant": variant, "form": form, "own": own}
    return render(request, template, context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "POST"])
def alert(request: HttpRequest, signed: str) -> HttpResponse:
    """Where an address says yes, or that it has had enough. Opening it does nothing: mail scanners open links."""
    found = stock_alerts.find_alert(signed)
    if found is None:
        return render(request, "shop/stock_alert_over.html", status=404)
    if request.POST.get("action") == "end":
        stock_alerts.end(found)
        messages.success(request, _("Done. We will not write to you about this any more."))
        return redirect(found.variant.product)
    if request.POST.get("action") == "confirm":
        stock_alerts.confirm(found)
        messages.success(request, _("Thank you. We write to you when it is back."))
        return redirect(found.variant.product)
    return render(request, "shop/stock_alert.html", {"alert": found})


@never_cache
@require_POST
def end_own(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A button in the account."""
    if not isinstance(request.user, User):
        raise Http404
    stock_alerts.end(get_object_or_404(StockAlert, pk=pk, user=request.user))
    messages.success(request, _("Done. We will not write to you about this any more."))
    return redirect("shop:account-alerts")


@never_cache
@require_http_methods(["GET", "POST"])
def offer(request: HttpRequest, signed: str) -> HttpResponse:
    """The checkout of what is held for whoever has the link; an account's link asks for its sign-in."""
    found = _offer(signed)
    holder = found.alert.user
    if holder is not None and request.user != holder:
        if request.user.is_authenticated:
            raise Http404  # to sign in again would lead back here
        return redirect_to_login(request.path)
    if found.order is not None:
        remember(request, found.order)
        return redirect(found.order)
    if stock_alerts.state_of(found) is State.OVER:
        return _over(request, found)
    return checkout_page(
        request,
        lines=[stock_alerts.order_line(found)],
        key=found.pk,
        cancel_url=reverse("shop:stock-offer-decline", args=[signed]),
        hold=Hold(expires_at=found.reservation.expires_at),
        on_placed=partial(stock_alerts.attach_order, found),
    )


@never_cache
@require_http_methods(["GET", "POST"])
def decline(request: HttpRequest, signed: str) -> HttpResponse:
    """Ask first; then let the unit go to the next."""
    found = _offer(signed)
    if request.method == "GET":
        if stock_alerts.state_of(found) is not State.HELD:
            return _over(request, found)
        return render(request, "shop/stock_offer_decline.html", {"offer": found, "signed": signed})
    if stock_alerts.decline(found):
        messages.success(request, _("You let it go. It is offered to the next."))
    else:
        messages.info(request, _("There was nothing to let go: it is ordered, or was over."))
    return HttpResponseRedirect(found.alert.variant.product.get_absolute_url(), status=303)


def _offer(signed: str) -> StockOffer:
    found = stock_alerts.find_offer(signed)
    if found is None:
        raise Http404
    return found


def _over(request: HttpRequest, found: StockOffer) -> HttpResponse:
    return render(request, "shop/stock_offer_over.html", {"offer": found}, status=410)


def _tell(request: HttpRequest, outcome: Asked | stock_alerts.CanBeHad) -> None:
    if isinstance(outcome, stock_alerts.CanBeHad):
        messages.success(request, _("It can be had right now."))
    elif outcome.is_confirmed:
        messages.success(request, _("We write to you when it is back."))
    else:
        text = _("We sent you a mail. Say yes in it, and we write to you when this is back.")
        messages.success(request, text)


urlpatterns = [
    path("alerts/for/<str:sku>/", panel, name="stock-alert-panel"),
    path("alerts/own/<uuid:pk>/end/", end_own, name="stock-alert-end"),
    path("alerts/<str:signed>/", alert, name="stock-alert"),
    path("offers/<str:signed>/", offer, name="stock-offer"),
    path("offers/<str:signed>/decline/", decline, name="stock-offer-decline"),
]
