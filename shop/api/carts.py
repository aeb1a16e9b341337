"""The cart over the API: of an account, or of a guest's session."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop import carts
from shop.carts import Refused
from shop.models import Cart
from shop.money import PRICE_DIGITS, SUM_DIGITS
from shop.problems import Problem
from shop.ratelimits import Limit, by_account, by_address_of_guests, enforce

#: Changes of one cart; a script that fills carts is no shopper.
CART_LIMITS = (Limit("120/5m", by_account), Limit("240/5m", by_address_of_guests))
#: The largest key of a line that PostgreSQL has.
MAX_PK = 2**63 - 1

EXAMPLE = OpenApiExample(
    "A cart",
    value={
        "lines": [
            {
                "id": 7,
                "sku": "TIDE-MUG-OAT",
                "name": "Tide mug, oat",
                "quantity": 2,
                "unit_price": "18.00",
                "total": "36.00",
                "available": True,
                "is_short": False,
            }
        ],
        "saved": [],
        "gone": [],
        "subtotal": "36.00",
        "currency": "EUR",
    },
    response_only=True,
)


class CartLineSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    sku = serializers.CharField(source="variant.sku")
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=PRICE_DIGITS, decimal_places=2)
    total = serializers.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    available = serializers.BooleanField(help_text="Whether any can be had now.")
    is_short = serializers.BooleanField(help_text="Whether fewer can be had than are wanted.")


class CartSerializer(serializers.Serializer[Any]):
    lines = CartLineSerializer(many=True, help_text="What an order would hold.")
    saved = CartLineSerializer(many=True, help_text="Put aside for later.")
    gone = CartLineSerializer(many=True, help_text="Not for sale any more.")
    subtotal = serializers.DecimalField(max_digits=SUM_DIGITS, decimal_places=2)
    currency = serializers.SerializerMethodField()

    def get_currency(self, contents: carts.Contents) -> str:
        return settings.CURRENCY


class AddLineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField(max_length=64)
    quantity = serializers.IntegerField(min_value=1, max_value=carts.MAX_QUANTITY, default=1)


class ChangeLineSerializer(serializers.Serializer[Any]):
    """Either or both; `is_saved` puts the line aside, or back."""

    quantity = serializers.IntegerField(min_value=1, max_value=carts.MAX_QUANTITY, required=False)
    is_saved = serializers.BooleanField(required=False)


class CartView(APIView):
    """Your cart. A guest's is named in the session cookie."""

    @extend_schema(operation_id="cart", responses=CartSerializer, examples=[EXAMPLE])
    def get(self, request: Request) -> Response:
        return _shown(carts.find(request=request))


class CartLines(APIView):
    @extend_schema(
        operation_id="cart_add",
        request=AddLineSerializer,
        responses={201: CartSerializer},
        examples=[
            EXAMPLE,
            OpenApiExample(
                "Two mugs", value={"sku": "TIDE-MUG-OAT", "quantity": 2}, request_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Put units into the cart, as many as can be had."""
        enforce(request=request, name="api-cart", limits=CART_LIMITS)
        body = AddLineSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        cart = carts.find_or_open(request=request)
        outcome = carts.add(cart=cart, **body.validated_data)
        if isinstance(outcome, Refused):
            raise _problem(outcome)
        return _shown(cart, status=201)


class CartLineView(APIView):
    @extend_schema(
        operation_id="cart_change",
        request=ChangeLineSerializer,
        responses=CartSerializer,
        examples=[
            EXAMPLE,
            OpenApiExample("Save it for later", value={"is_saved": True}, request_only=True),
        ],
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Give a line another quantity, as many as can be had, or put it aside, or back."""
        cart = self._cart(request, pk)
        body = ChangeLineSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wishes = body.validated_data
        outcome: object = None
        if "quantity" in wishes:
            outcome = carts.set_quantity(cart=cart, line_pk=pk, quantity=wishes["quantity"])
        if not isinstance(outcome, Refused) and "is_saved" in wishes:
            outcome = (
                carts.save_for_later(cart=cart, line_pk=pk)
                if wishes["is_saved"]
                else carts.take_back(cart=cart, line_pk=pk)
            )
        if isinstance(outcome, Refused):
            raise _problem(outcome)
        return _shown(cart)

    @extend_schema(operation_id="cart_remove", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Take a line out."""
        carts.remove(cart=self._cart(request, pk), line_pk=pk)
        return Response(status=204)

    def _cart(self, request: Request, pk: int) -> Cart:
        """The cart of who asks, if it has this line."""
        enforce(request=request, name="api-cart", limits=CART_LIMITS)
        cart = carts.find(request=request)
        if cart is None or pk > MAX_PK or not cart.lines.filter(pk=pk).exists():
            raise Http404
        return cart


def _shown(cart: Cart | None, *, status: int = 200) -> Response:
    return Response(CartSerializer(carts.contents(cart=cart)).data, status=status)


def _problem(refused: Refused) -> Problem:
    return Problem(status=409, code="not_available", detail=refused.reason)


urlpatterns = [
    path("cart/", CartView.as_view(), name="cart"),
    path("cart/lines/", CartLines.as_view(), name="cart-lines"),
    path("cart/lines/<int:pk>/", CartLineView.as_view(), name="cart-line"),
]
