"""The sale's part of the JSON API. `line/` and the POST routes read neither session nor user row."""

from typing import Any, cast
from uuid import UUID

import redis
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flashsale import admissions, clicks, entries, line_document, purchases, sales
from flashsale.cookies import admission_cookie, keep_admission, ticket_of
from flashsale.limits import BUY, LINE, ORDER_LIMITS, count
from flashsale.models import Purchase, Sale
from flashsale.purchases import State
from flashsale.replies import BUSY_RETRY_SECONDS, Reply
from flashsale.sales import SaleInfo
from flashsale.serializers import (
    AcceptedSerializer,
    AdmissionSerializer,
    BuySerializer,
    EnterSerializer,
    JoinSerializer,
    LineSerializer,
    PurchaseSerializer,
    SaleSerializer,
    TicketSerializer,
)
from flashsale.shoppers import Shopper, ShopperAuthentication
from flashsale.showing import PurchaseView, show_purchase, show_unsettled
from flashsale.standing import stand
from shop.api.idempotency import idempotent
from shop.api.orders import OrderSerializer, PlaceOrderSerializer, place_and_pay
from shop.extensions import REASONS, NotExtended
from shop.models import User
from shop.problems import Problem
from shop.ratelimits import Limit, enforce

VISIBLE = Sale.objects.exclude(status=Sale.Status.DRAFT).filter(is_rehearsal=False)


class SaleList(ListAPIView[Sale]):
    """Sales, the next to open last."""

    serializer_class = SaleSerializer
    authentication_classes = ()
    queryset = VISIBLE.order_by("-opens_at")

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = super().paginate_queryset(queryset)
        return None if page is None else stand(page)


class SaleDetail(APIView):
    authentication_classes = ()

    @extend_schema(responses=SaleSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """One sale with its items."""
        sale = Sale.objects.exclude(status=Sale.Status.DRAFT).filter(slug=slug).first()
        if sale is None:
            raise Http404("There is no such sale.")
        return Response(SaleSerializer(stand([sale])[0]).data)


class LineDocument(APIView):
    authentication_classes = ()

    @extend_schema(responses=LineSerializer)
    def get(self, request: Request, slug: str) -> HttpResponse:
        """What is being served: `base + rate * (min(t, until) - at)`."""
        published = line_document.published_as(slug, now=timezone.now())
        if published is None:
            raise Http404("There is no such sale.")
        response = HttpResponse(published.content, content_type="application/json")
        response["Cache-Control"] = line_document.CACHE_CONTROL
        response["ETag"] = published.etag
        return cast(
            HttpResponse,
            get_conditional_response(request._request, published.etag, response=response),
        )


class ShopperView(APIView):
    """A route for shoppers, known by their signed cookie or their token."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = (ShopperAuthentication,)
    permission_classes = (IsAuthenticated,)

    #: What counts against whom; nothing where nothing is changed.
    limits: tuple[Limit, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.limits and request.method == "POST":
            enforce(request=request._request, name=type(self).__name__, limits=self.limits)

    @property
    def shopper(self) -> UUID:
        return cast(Shopper, self.request.user).id


class TicketView(ShopperView):
    @extend_schema(request=JoinSerializer, responses={201: TicketSerializer, 200: TicketSerializer})
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Join the line; again: the same place. 403 `challenge_required`: solve `challenge` first."""
        count(request._request, allowance=LINE, shopper=self.shopper)
        sale = _sale_or_404(slug)
        form = JoinSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        reply = entries.join(
            sale=sale,
            shopper=self.shopper,
            brought=form.validated_data.get("ticket"),
            kept=ticket_of(request._request, sale, self.shopper),
            answer=form.validated_data["answer"],
            now=timezone.now(),
        )
        return _answer(reply)


class AdmissionView(ShopperView):
    @extend_schema(request=EnterSerializer, responses={201: AdmissionSerializer})
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Trade a served ticket for an admission; 425 when it is too early, 429 when it is full."""
        count(request._request, allowance=LINE, shopper=self.shopper)
        sale = _sale_or_404(slug)
        form = EnterSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        reply = entries.enter(
            sale=sale,
            shopper=self.shopper,
            ticket=form.validated_data["ticket"],
            now=timezone.now(),
        )
        response = _answer(reply)
        if reply.admitted:
            keep_admission(response, sale, reply.admitted, secure=request.is_secure())
        return response

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Leave: give the place inside back."""
        count(request._request, allowance=LINE, shopper=self.shopper)
        try:
            admissions.leave(_sale_or_404(slug), shopper=self.shopper)
        except redis.RedisError as error:
            raise Problem(
                status=503,
                code="busy",
                detail="We could not let you out just now. Your place inside ends by itself.",
                retry_after=BUSY_RETRY_SECONDS,
            ) from error
        return Response(status=204)


class BuyView(ShopperView):
    @extend_schema(
        request=BuySerializer,
        responses={202: AcceptedSerializer},
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                location=OpenApiParameter.HEADER,
                description="Names the attempt: repeating it is the same purchase.",
            )
        ],
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """Claim units. 202: queued; ask `url` what became of it. 409: a definite no."""
        count(request._request, allowance=BUY, shopper=self.shopper)
        sale = _sale_or_404(slug)
        form = BuySerializer(data=request.data)
        form.is_valid(raise_exception=True)
        reply = clicks.take(
            sale=sale,
            shopper=self.shopper,
            admission=form.validated_data.get("admission")
            or request.COOKIES.get(admission_cookie(sale), ""),
            item=form.validated_data["item"],
            quantity=form.validated_data["quantity"],
            attempt=_attempt(request),
            now=timezone.now(),
        )
        return _answer(reply)


class PurchaseDetail(ShopperView):
    @extend_schema(responses=PurchaseSerializer)
    def get(self, request: Request, purchase_id: UUID) -> Response:
        """What became of a purchase."""
        purchase = purchases.find(purchase_id, shopper=self.shopper)
        if purchase is not None:
            return Response(_purchase_json(show_purchase(purchase)))
        unsettled = show_unsettled(purchase_id, shopper=self.shopper)
        if unsettled is None:
            raise Http404("There is no such purchase of yours.")
        return Response(_purchase_json(unsettled[0]))

    @extend_schema(request=None, responses={200: PurchaseSerializer})
    def delete(self, request: Request, purchase_id: UUID) -> Response:
        """Let the hold go; again: the same answer."""
        purchase = _own_purchase(purchase_id, self.shopper)
        if not purchases.release(purchase):
            purchase.refresh_from_db()
            if purchases.state_of(purchase) is State.PAID:
                raise Problem(
                    status=409, code="already_paid", detail="It is paid: cancel the order instead."
                )
        return Response(_purchase_json(show_purchase(_own_purchase(purchase_id, self.shopper))))


class ExtensionView(ShopperView):
    @extend_schema(request=None, responses={200: PurchaseSerializer})
    def post(self, request: Request, purchase_id: UUID) -> Response:
        """Have the hold end later, once."""
        outcome = purchases.extend(_own_purchase(purchase_id, self.shopper))
        if isinstance(outcome, NotExtended):
            raise Problem(status=409, code=outcome.value, detail=str(REASONS[outcome]))
        return Response(_purchase_json(show_purchase(_own_purchase(purchase_id, self.shopper))))


class OrderView(ShopperView):
    """Who orders and pays is the account itself: the cookie that names a shopper outlives sign-out."""

    authentication_classes = (TokenAuthentication, SessionAuthentication)
    limits = ORDER_LIMITS

    @property
    def account(self) -> User:
        return cast(User, self.request.user)

    @property
    def shopper(self) -> UUID:
        return self.account.shopper_id

    @idempotent
    @extend_schema(request=PlaceOrderSerializer, responses={201: OrderSerializer})
    def post(self, request: Request, purchase_id: UUID) -> Response:
        """Order and pay for what is held. Again: the same order, and another card after a decline."""
        purchase = _own_purchase(purchase_id, self.shopper)
        state = purchases.state_of(purchase)
        if state in (State.REFUSED, State.EXPIRED, State.RELEASED):
            raise Problem(
                status=409,
                code="hold_ended",
                detail=f"There is nothing to pay: the purchase is {state}.",
            )
        answer = place_and_pay(
            request=request,
            key=purchase.pk,
            user=self.account,
            lines=[purchases.order_line(purchase)],
            data=request.data,
            extension_seconds=purchase.sale.hold_extension_seconds,
            on_placed=lambda order: purchases.attach_order(purchase, order),
        )
        return Response(answer, status=201)


def _purchase_json(view: PurchaseView) -> dict[str, Any]:
    return {
        "id": view.id,
        "state": view.state,
        "reason": view.reason or None,
        "hold_expires_at": view.hold_expires_at and view.hold_expires_at.isoformat(),
        "checkout_url": view.checkout_url,
        "order": view.order,
        "can_extend": view.can_extend,
    }


def _own_purchase(purchase_id: UUID, shopper: UUID) -> Purchase:
    purchase = purchases.find(purchase_id, shopper=shopper)
    if purchase is None:
        if purchases.sale_of_queued(purchase_id, shopper=shopper):
            raise Problem(
                status=409,
                code="queued",
                detail="It waits in the queue: try again in a moment.",
                retry_after=1,
            )
        raise Http404("There is no such purchase of yours.")
    return purchase


def _sale_or_404(slug: str) -> SaleInfo:
    sale = sales.find(slug)
    if sale is None:
        raise Http404("There is no such sale.")
    return sale


def _answer(reply: Reply) -> HttpResponse:
    return HttpResponse(
        reply.content,
        status=reply.status,
        headers=reply.headers,
        content_type=reply.content_type,
    )


def _attempt(request: Request) -> str:
    attempt = request.headers.get("Idempotency-Key", "")
    if len(attempt) > 200:
        raise Problem(status=400, code="idempotency_key_too_long", detail="At most 200 characters.")
    return attempt
