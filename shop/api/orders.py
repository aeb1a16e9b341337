"""Orders over the API: the shopper's own, and the body of a call that places one."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path
from django_countries.serializers import CountryFieldMixin
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from shop import carts, checkout, gateways, payments
from shop.api.idempotency import HEADER, idempotent
from shop.checkout import (
    AddressData,
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
    Wishes,
)
from shop.drafts import CODE_LIMITS
from shop.forms import ADDRESS_AUTOCOMPLETE
from shop.models import Address, Cart, LineItem, Order, PaymentIntent, User
from shop.money import SUM_DIGITS
from shop.problems import Problem
from shop.ratelimits import enforce
from shop.views.checkout import CHECKOUT_LIMITS, GUEST_ORDER_LIMITS
from shop.views.orders import SESSION_KEY as OWN_ORDERS
from shop.views.orders import remember

EXAMPLE = OpenApiExample(
    "To Berlin",
    value={
        "email": "ada@example.com",
        "shipping_address": {
            "recipient": "Ada Example",
            "street": "1 Sample Street",
            "street2": "",
            "postcode": "10115",
            "city": "Berlin",
            "country": "DE",
        },
        "payment_method": {"method": "demo", "card": "approve"},
    },
    request_only=True,
)


class AddressSerializer(CountryFieldMixin, serializers.ModelSerializer[Address]):
    class Meta:
        model = Address
        fields = list(ADDRESS_AUTOCOMPLETE)


class PaymentMethodSerializer(serializers.Serializer[Any]):
    """Which gateway, and what it needs to know: the demo gateway a card, Stripe its payment method's id."""

    method = serializers.CharField(max_length=20)

    def get_fields(self) -> dict[str, Any]:
        asked = {
            name: serializers.CharField(max_length=100, required=False, help_text=str(field.label))
            for gateway in gateways.GATEWAYS.values()
            for name, field in gateway.form_fields().items()
        }
        return super().get_fields() | asked

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            payments.read_method(attrs)
        except gateways.BadMethod as error:
            raise serializers.ValidationError(str(error), code="payment_method") from error
        return attrs


class PlaceOrderSerializer(serializers.Serializer[Any]):
    """The body of a call that places an order.

    `delivery` is the id of a delivery method; without it the first that goes there counts. A 409 `no_delivery`
    lists what there is. `payment_method` may be left out of an order that comes to nothing, and is ignored there.
    """

    shipping_address = AddressSerializer()
    payment_method = PaymentMethodSerializer(required=False)
    delivery = serializers.IntegerField(min_value=0, required=False)
    discount_code = serializers.CharField(max_length=32, required=False, allow_blank=True)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class OrderCartSerializer(PlaceOrderSerializer):
    """The body of a call that orders what is in the cart.

    With `agreed_total`, a total that is another one by now is refused (409 `total_changed`).
    """

    email = serializers.EmailField(
        max_length=254, required=False, help_text="Of a guest; an account has its own."
    )
    agreed_total = serializers.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, required=False)


class LineItemSerializer(serializers.ModelSerializer[LineItem]):
    total = serializers.DecimalField(max_digits=SUM_DIGITS, decimal_places=2, read_only=True)

    class Meta:
        model = LineItem
        fields = ["sku", "name", "quantity", "unit_price", "total"]


class PaymentActionSerializer(serializers.Serializer[Any]):
    """What the shopper has to do before their bank decides; `url` is a page for their browser."""

    type = serializers.CharField()
    url = serializers.URLField(required=False)
    client_secret = serializers.CharField(required=False)
    publishable_key = serializers.CharField(required=False)
    script = serializers.URLField(required=False)


class PaymentSerializer(serializers.ModelSerializer[PaymentIntent]):
    action = serializers.SerializerMethodField()

    class Meta:
        model = PaymentIntent
        fields = ["gateway", "state", "amount", "currency", "decline_reason", "action"]

    @extend_schema_field(PaymentActionSerializer(allow_null=True))
    def get_action(self, intent: PaymentIntent) -> dict[str, Any] | None:
        """While the payment is `created`: what the shopper has to do at their bank."""
        if intent.action is None or intent.state != PaymentIntent.State.CREATED:
            return None
        action = dict(intent.action)
        if action.get("url", "").startswith("/"):
            action["url"] = settings.SITE_URL + action["url"]
        return action


class OrderSerializer(serializers.ModelSerializer[Order]):
    url = serializers.CharField(source="get_absolute_url", read_only=True)
    items = LineItemSerializer(source="line_items", many=True, read_only=True)
    shipping_address = serializers.SerializerMethodField()
    payment = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "reference",
            "state",
            "url",
            "items",
            "subtotal",
            "discount",
            "discount_code",
            "shipping",
            "shipping_method",
            "tax",
            "tax_name",
            "tax_is_included",
            "total",
            "currency",
            "note",
            "placed_at",
            "expires_at",
            "paid_at",
            "shipping_address",
            "payment",
        ]

    @extend_schema_field(AddressSerializer)
    def get_shipping_address(self, order: Order) -> dict[str, str]:
        return {name: str(getattr(order, name)) for name in ADDRESS_AUTOCOMPLETE}

    @extend_schema_field(PaymentSerializer(allow_null=True))
    def get_payment(self, order: Order) -> dict[str, Any] | None:
        """The newest attempt to pay."""
        newest = max(order.payment_intents.all(), key=lambda row: row.created_at, default=None)
        return dict(PaymentSerializer(newest).data) if newest else None


class OrderList(generics.ListAPIView[Order]):
    """Your own orders, the newest first."""

    serializer_class = OrderSerializer
    queryset = Order.objects.none()

    def get_permissions(self) -> list[Any]:
        return [] if self.request.method == "POST" else [IsAuthenticated()]

    def get_queryset(self) -> QuerySet[Order]:
        return _orders_of(self.request.user)

    @extend_schema(
        operation_id="orders_create",
        request=OrderCartSerializer,
        responses={201: OrderSerializer},
        examples=[EXAMPLE],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Order what is in the cart, and start its payment. A guest gives an email address."""
        enforce(request=request, name="checkout", limits=CHECKOUT_LIMITS)
        user = request.user if isinstance(request.user, User) else None
        body = OrderCartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        email = user.email if user else body.validated_data.get("email")
        if not email:
            raise serializers.ValidationError({"email": "A guest needs an email address."})
        cart = carts.find(request=request)
        if cart is None:
            raise _cart_empty()
        name = request.headers.get(HEADER)
        key = uuid5(cart.pk, name) if name else uuid4()
        lines = checkout.lines_of(cart)
        if not lines and checkout.find(key=key) is None:
            raise _cart_empty()
        enforce(request=request, name="guest-order", limits=GUEST_ORDER_LIMITS)
        placed = place_and_pay(
            request=request,
            key=key,
            user=user,
            email=email,
            lines=lines,
            data=request.data,
            cart=cart,
            agreed_total=body.validated_data.get("agreed_total"),
        )
        if user is None:
            remember(request, Order.objects.get(key=key))
        return Response(placed, status=201)


class OrderDetail(generics.RetrieveAPIView[Order]):
    """One of your own orders."""

    permission_classes = [IsAuthenticated]
    serializer_class = OrderSerializer
    lookup_field = "reference"

    def get_queryset(self) -> QuerySet[Order]:
        return _orders_of(self.request.user)


def place_and_pay(
    *,
    request: HttpRequest | Request,
    key: UUID,
    user: User | None,
    lines: Sequence[OrderLine],
    data: Any,
    email: str = "",
    cart: Cart | None = None,
    agreed_total: Decimal | None = None,
    extension_seconds: int | None = None,
    on_placed: Callable[[Order], None] | None = None,
) -> dict[str, Any]:
    """Place an order for an API client and start its payment; with a key that is known, pay that order.

    Args:
        request: whose tries of discount codes and unpaid orders are counted, as on the pages.
        data: the body, as `PlaceOrderSerializer` describes it.
        email: of a guest; an account's own is used otherwise.
        cart, extension_seconds, on_placed, agreed_total: see `checkout.place_order`.

    Returns:
        The order, as `OrderSerializer` describes it.

    Raises:
        ValidationError: the body cannot be used; nothing was done.
        TooManyRequestsError: too many discount codes were tried; nothing was done.
        Problem: 409 `hold_ended`, `sold_out`, `no_delivery`, `discount_refused`, `cart_changed`,
            `total_changed`, `too_many_unpaid` or `not_payable`.
    """
    body = PlaceOrderSerializer(data=data)
    body.is_valid(raise_exception=True)
    code = body.validated_data.get("discount_code", "").strip()
    if code and checkout.find(key=key) is None:
        enforce(request=request, name="discount-code", limits=CODE_LIMITS)
    address = body.validated_data["shipping_address"]
    method = body.validated_data.get("payment_method", {})
    outcome = checkout.place_order(
        key=key,
        user=user,
        email=user.email if user else email,
        address=AddressData(**{name: str(value) for name, value in address.items()}),
        lines=lines,
        wishes=Wishes(
            delivery=body.validated_data.get("delivery"),
            discount_code=code,
            note=body.validated_data.get("note", ""),
            # Who names no way to pay agrees to pay nothing.
            agreed_total=agreed_total if method else Decimal(0),
        ),
        known=request.session.get(OWN_ORDERS, []),
        cart=cart,
        extension_seconds=extension_seconds,
        on_placed=on_placed,
    )
    needs_method = isinstance(outcome, TotalChanged) or (
        isinstance(outcome, Placed) and outcome.order.total
    )
    if needs_method and not method:
        raise serializers.ValidationError({"payment_method": "This is not free: say how you pay."})
    if not isinstance(outcome, Placed):
        raise _problem(outcome)
    paid = payments.start(order=outcome.order, method=method)
    if isinstance(paid, payments.NotPayable):
        raise Problem(
            status=409,
            code="not_payable",
            detail=f"This order is {paid.order.get_state_display().lower()}, or its time is over.",
        )
    return dict(OrderSerializer(_orders_of(user).get(pk=outcome.order.pk)).data)


def _cart_empty() -> Problem:
    return Problem(status=409, code="cart_empty", detail="There is nothing to order.")


def _problem(refusal: Refusal) -> Problem:
    match refusal:
        case HoldEnded():
            code, detail = "hold_ended", "The time was over. Nothing is charged."
        case Short():
            code, detail = "sold_out", "There are not enough units left."
        case CodeRefused(reason=reason):
            code, detail = "discount_refused", reason
        case NotDelivered(offers=offers):
            ways = [
                {"id": offer.id, "name": offer.name, "price": f"{offer.price:.2f}"}
                for offer in offers
            ]
            detail = "This way of delivery does not go there." if ways else "Nothing goes there."
            return Problem(status=409, code="no_delivery", detail=detail, offers=ways)
        case CartChanged():
            code, detail = "cart_changed", "The cart has changed meanwhile."
        case TooManyUnpaid():
            code, detail = "too_many_unpaid", "Pay or cancel one of your unpaid orders first."
        case _:
            code, detail = "total_changed", "The total is another one now."
    return Problem(status=409, code=code, detail=detail)


def _orders_of(user: Any) -> QuerySet[Order]:
    return Order.objects.filter(user=user).prefetch_related("line_items", "payment_intents")


urlpatterns = [
    path("orders/", OrderList.as_view(), name="orders"),
    path("orders/<str:reference>/", OrderDetail.as_view(), name="order"),
]
