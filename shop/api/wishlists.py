"""The wishlist over the API: of an account, or of a guest's session."""

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop import catalogue, wishlists
from shop.api.catalogue import ProductSerializer
from shop.models import Product
from shop.problems import Problem
from shop.ratelimits import enforce
from shop.views.wishlists import WISH_LIMITS


class WishSerializer(serializers.Serializer[Any]):
    product = serializers.SlugField(help_text="The slug of a product.")


class Wishlist(generics.GenericAPIView[Product]):
    """What is on your list, the newest wish first."""

    serializer_class = ProductSerializer
    queryset = Product.objects.none()

    @extend_schema(operation_id="wishlist", responses=ProductSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(wishlists.products(request=request))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="wishlist_add",
        request=WishSerializer,
        responses={201: WishSerializer},
        examples=[OpenApiExample("A mug", value={"product": "tide-mug"})],
    )
    def post(self, request: Request) -> Response:
        """Put a product on the list; twice is once."""
        enforce(request=request, name="wish", limits=WISH_LIMITS)
        body = WishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        if not wishlists.add(request=request, product=_product(body.validated_data["product"])):
            raise Problem(status=409, code="wishlist_full", detail="The wishlist is full.")
        return Response(body.validated_data, status=201)


class WishView(APIView):
    @extend_schema(operation_id="wishlist_remove", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Take a product off the list."""
        enforce(request=request, name="wish", limits=WISH_LIMITS)
        if not wishlists.remove(request=request, product=_product(slug)):
            raise Http404
        return Response(status=204)


def _product(slug: str) -> Product:
    found = catalogue.published().prefetch_related(None).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


urlpatterns = [
    path("wishlist/", Wishlist.as_view(), name="wishlist"),
    path("wishlist/<slug:slug>/", WishView.as_view(), name="wish"),
]
