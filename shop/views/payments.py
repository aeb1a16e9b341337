"""The doors through which payment providers tell us things, and through which shoppers come back from them."""

import logging
from http import HTTPStatus
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shop import gateways, payment_events, payments
from shop.gateways import BadSignature, UnknownGateway, demo
from shop.models import PaymentIntent
from shop.ratelimits import enforce, of_shoppers

log = logging.getLogger(__name__)

#: Bytes of an event; Stripe's largest are a few tens of thousands.
LARGEST_EVENT = 256 * 1024
RETURN_LIMITS = of_shoppers(each="60/5m", address="600/5m")


@csrf_exempt
@require_POST
def events(request: HttpRequest, gateway: str) -> HttpResponse:
    """Take an event: 200 when it is stored, now or before; the signature is all that lets one in."""
    try:
        if len(request.body) > LARGEST_EVENT:
            raise RequestDataTooBig(f"An event has at most {LARGEST_EVENT} bytes.")
        payment_events.receive(gateway=gateway, body=request.body, headers=request.headers)
    except UnknownGateway as error:
        raise Http404(str(error)) from error
    except RequestDataTooBig as error:
        return _refuse(request, gateway, error, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except BadSignature as error:
        return _refuse(request, gateway, error, status=HTTPStatus.BAD_REQUEST)
    return HttpResponse("stored\n", content_type="text/plain")


@never_cache
@require_safe
def come_back(request: HttpRequest, intent_id: UUID) -> HttpResponse:
    """The shopper comes from their bank: what came of it is asked here; the order's page tells it.

    Whoever knows the address learns nothing by it: the order's page shows an order to its shopper alone.
    """
    enforce(request=request, name="payment-return", limits=RETURN_LIMITS)
    intent = get_object_or_404(PaymentIntent.objects.select_related("order"), pk=intent_id)
    if intent.state == PaymentIntent.State.CREATED:
        payments.come_back(intent)
    return HttpResponseRedirect(intent.order.get_absolute_url(), status=HTTPStatus.SEE_OTHER)


@never_cache
@require_http_methods(["GET", "POST"])
def demo_bank(request: HttpRequest, intent_id: UUID) -> HttpResponse:
    """The page of the demonstration bank, where a `second_step` is taken. It knows payments, and no shoppers."""
    if "demo" not in gateways.offered():
        raise Http404("There is no demonstration bank here.")
    intent = get_object_or_404(PaymentIntent, pk=intent_id, gateway="demo")
    if request.method == "POST" and request.POST.get("answer") in ("approve", "decline"):
        demo.decide(intent, approves=request.POST["answer"] == "approve")
        return _see_return(intent)
    if not demo.waits_for_shopper(intent):
        return _see_return(intent)
    return render(request, "shop/demo_bank.html", {"intent": intent})


def _see_return(intent: PaymentIntent) -> HttpResponse:
    url = reverse("shop:payment-return", args=[intent.pk])
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)


def _refuse(request: HttpRequest, gateway: str, error: Exception, *, status: int) -> HttpResponse:
    sender = request.META.get("REMOTE_ADDR")
    log.warning("Refused an event for %s from %s: %s", gateway, sender, error)
    return HttpResponse(f"{error}\n", status=status, content_type="text/plain")


urlpatterns = [
    path("payments/events/<slug:gateway>/", events, name="payment-events"),
    path("payments/<uuid:intent_id>/return/", come_back, name="payment-return"),
    path("payments/<uuid:intent_id>/bank/", demo_bank, name="demo-bank"),
]
