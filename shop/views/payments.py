"""The door through which payment providers tell us things."""

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop import payment_events
from shop.gateways import BadSignature, UnknownGateway

log = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def events(request: HttpRequest, gateway: str) -> HttpResponse:
    """Take an event: 200 when it is stored, now or before; the signature is all that lets one in."""
    try:
        payment_events.receive(gateway=gateway, body=request.body, headers=request.headers)
    except UnknownGateway as error:
        raise Http404(str(error)) from error
    except BadSignature as error:
        log.warning("Refused an event for %s from %s: %s", gateway, request.META.get("REMOTE_ADDR"), error)  # fmt: skip
        return HttpResponse(f"{error}\n", status=400, content_type="text/plain")
    return HttpResponse("stored\n", content_type="text/plain")


urlpatterns = [path("payments/events/<slug:gateway>/", events, name="payment-events")]
