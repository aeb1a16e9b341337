"""An order's page: what was ordered, what happened, and what can be done now."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shop import emails, extensions, gateways, invoices, orders, payments, returns, timeline
from shop.checkout_forms import PayForm
from shop.extensions import Extended, NotExtended
from shop.models import Order, PaymentIntent, Refund
from shop.ratelimits import limited, of_shoppers

#: Where the session keeps the orders that a guest placed or opened from a mail.
SESSION_KEY = "orders"
#: Orders that a guest's session remembers: the newest ones.
REMEMBERED = 20
#: Seconds between two looks of a page that waits for a bank.
REFRESH_SECONDS = 3
PAY_LIMITS = of_shoppers(each="20/5m", address="120/5m")

Intent = PaymentIntent.State


@dataclass(frozen=True, slots=True)
class Situation:
    """What an order's page says at the top."""

    title: str
    text: str


def remember(request: HttpRequest, order: Order) -> None:
    """Let a guest see this order again."""
    if order.user_id is None:
        known = [pk for pk in request.session.get(SESSION_KEY, []) if pk != str(order.pk)]
        request.session[SESSION_KEY] = [*known, str(order.pk)][-REMEMBERED:]


@never_cache
@require_safe
def order(request: HttpRequest, reference: str) -> HttpResponse:
    if "access" in request.GET:
        return _open_from_mail(request, reference)
    return _show(request, own_order(request, reference))


@never_cache
@limited("pay", *PAY_LIMITS)
@require_POST
def pay(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    form = PayForm(request.POST, is_free=not found.total)
    if not form.is_valid():
        return _show(request, found, form=form)
    outcome = payments.start(order=found, method=form.method)
    if isinstance(outcome, payments.NotPayable):
        messages.info(request, _("This order does not wait for a payment any more."))
    return _see(found)


@never_cache
@limited("pay", *PAY_LIMITS)
@require_POST
def pay_otherwise(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    payments.give_up(order=found)
    return _see(found)


@never_cache
@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    if found.state != Order.State.PENDING:
        messages.info(request, _("Only an order that waits for its payment can be cancelled here."))
        return _see(found)
    if request.method == "GET":
        return render(request, "shop/order_cancel.html", {"order": found})
    actor = request.user.email if request.user.is_authenticated else found.email
    if orders.cancel(order=found, actor=actor, reason=gettext_noop("as you wished")):
        messages.success(request, _("The order is cancelled. You are not charged."))
    else:
        messages.info(request, _("Not cancelled: its payment is just being completed."))
    return _see(found)


@never_cache
@require_POST
def extend(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    tell_of_extension(request, extensions.extend(order=found))
    return _see(found)


def tell_of_extension(request: HttpRequest, outcome: Extended | NotExtended) -> None:
    """Say until when what is held is held now, or why it is not held longer."""
    if isinstance(outcome, Extended):
        until = date_format(timezone.localtime(outcome.until), "H:i:s")
        messages.success(
            request, _("You have more time: it is held for you until %(until)s.") % {"until": until}
        )
    else:
        messages.info(request, extensions.REASONS[outcome])


def _see(found: Order) -> HttpResponse:
    return HttpResponseRedirect(found.get_absolute_url(), status=303)


def _open_from_mail(request: HttpRequest, reference: str) -> HttpResponse:
    """A guest's link: the session remembers the order, and the address loses the signature."""
    found = Order.objects.filter(reference=reference, user=None).first()
    if found is None or not emails.opens(order=found, access=request.GET["access"]):
        raise Http404
    remember(request, found)
    return _see(found)


def own_order(request: HttpRequest, reference: str) -> Order:
    """The shopper's own order, or a guest's that this session knows. Others do not exist."""
    found = Order.objects.filter(reference=reference).first()
    if found is not None:
        if found.user_id is not None and found.user_id == request.user.pk:
            return found
        if found.user_id is None and str(found.pk) in request.session.get(SESSION_KEY, []):
            return found
    raise Http404("There is no such order of yours.")


def _show(request: HttpRequest, found: Order, form: PayForm | None = None) -> HttpResponse:
    payment = found.payment_intents.first()
    is_alive = orders.is_alive(found)
    is_deciding = payment is not None and payment.state in (
        Intent.CREATED,
        Intent.AUTHORISED,
        Intent.CONFIRMED,
    )
    can_pay = is_alive and not is_deciding and (not found.total or bool(gateways.offered()))
    situation = _situation(found, payment, is_alive=is_alive, is_deciding=is_deciding)
    action = payment.action if payment and payment.state == Intent.CREATED and is_alive else None
    waits = is_deciding or (found.state == Order.State.PENDING and not is_alive)
    items = found.line_items.select_related("variant__product")
    context = {
        "order": found,
        "line_items": list(items.prefetch_related("variant__product__images")),
        "timeline": [
            {"text": timeline.told(event), "at": event.created_at}
            for event in found.events.filter(is_internal=False)
        ],
        "invoice": invoices.of(found),
        "refunds": list(found.refunds.filter(state__in=Refund.GIVING).order_by("created_at")),
        "returned_parcels": list(found.returns.prefetch_related("lines__line_item")),
        "can_return": returns.may_ask(found, now=timezone.now()),
        "payment": payment,
        "action": action,
        "action_template": f"shop/gateways/{payment.gateway}_action.html" if payment else "",
        "can_pay": can_pay,
        "pay_form": (form or PayForm(is_free=not found.total)) if can_pay else None,
        "status_title": situation.title,
        "status_text": situation.text,
        # Not while the shopper has something to do on this page.
        "refresh_seconds": REFRESH_SECONDS if waits and not action else None,
        "hold_expires_at": found.expires_at if can_pay or action else None,
        "can_extend": (can_pay or action) and extensions.can_extend(found),
        "server_now": timezone.now(),
    }
    return render(request, "shop/order.html", context, status=422 if form else 200)


def _situation(
    found: Order, payment: PaymentIntent | None, *, is_alive: bool, is_deciding: bool
) -> Situation:
    match found.state:
        case Order.State.PAID:
            return Situation(_("It is yours"), _("Paid, and kept for you until it is on its way."))
        case Order.State.FULFILLED:
            return Situation(_("It is on its way"), _("Your order has left us."))
        case Order.State.CANCELLED:
            return Situation(_("The order is cancelled"), _money_of_closed(payment))
        case Order.State.REFUNDED:
            return Situation(_("The order is refunded"), _money_of_closed(payment))
        case Order.State.EXPIRED:
            return Situation(
                _("The time was over"),
                _("No payment came in time, and what was held went back on the shelf.")
                + " "
                + _money_of_closed(payment),
            )
    if is_deciding and is_alive and payment is not None and payment.action is not None:
        return Situation(
            _("Your bank wants to hear from you"),
            _(
                "Confirm the payment with your bank, and you come back here. What you ordered is held "
                "for you until the time is over; nothing is charged before you confirm."
            ),
        )
    if is_deciding:
        return Situation(
            _("One moment"),
            _(
                "We are waiting for your bank. What you ordered is held for you; this page looks again by itself."
            ),
        )
    if not is_alive:
        return Situation(
            _("The time was over"), _("The order is being closed. You are not charged.")
        )
    if payment is not None and payment.state == Intent.DECLINED:
        return Situation(
            _("The payment did not work out"),
            _(
                "%(reason)s What you ordered stays held for you until the time is over: try again, "
                "with another card if you like. You are not charged for a payment that failed."
            )
            # Written down in English, perhaps while nobody looked.
            % {"reason": _(payment.decline_reason) if payment.decline_reason else ""},
        )
    if not found.total:
        return Situation(
            _("One click is left"), _("There is nothing to pay. What you ordered is held for you.")
        )
    return Situation(
        _("Waiting for your payment"), _("What you ordered is held for you until then.")
    )


def _money_of_closed(payment: PaymentIntent | None) -> str:
    match payment.state if payment else None:
        case Intent.CANCELLING:
            return _("Your payment is being given back.")
        case Intent.REFUNDING | Intent.REFUNDED:
            return _(
                "The money is on its way back to you; that takes a few days, depending on your bank."
            )
    return _("You are not charged.")


urlpatterns = [
    path("orders/<str:reference>/", order, name="order"),
    path("orders/<str:reference>/pay/", pay, name="order-pay"),
    path("orders/<str:reference>/pay/otherwise/", pay_otherwise, name="order-pay-otherwise"),
    path("orders/<str:reference>/cancel/", cancel, name="order-cancel"),
    path("orders/<str:reference>/extend/", extend, name="order-extend"),
]
