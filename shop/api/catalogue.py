"""Products over the API."""

from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop import catalogue, facets, search
from shop.models import Product, Variant
from shop.money import PRICE_DIGITS
from shop.wanted import BEST, SORTS, Wanted, parse


class VariantSerializer(serializers.ModelSerializer[Variant]):
    currency = serializers.SerializerMethodField()
    available = serializers.SerializerMethodField()
    lowest_price = serializers.DecimalField(
        max_digits=PRICE_DIGITS,
        decimal_places=2,
        allow_null=True,
        read_only=True,
        help_text="The lowest price of the thirty days before it was reduced.",
    )

    class Meta:
        model = Variant
        fields = [
            "sku",
            "name",
            "price",
            "currency",
            "compare_at_price",
            "lowest_price",
            "available",
        ]

    def get_currency(self, variant: Variant) -> str:
        return settings.CURRENCY

    def get_available(self, variant: Variant) -> bool:
        return variant.available > 0


class ProductSerializer(serializers.ModelSerializer[Product]):
    category = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    url = serializers.SerializerMethodField()
    variants = VariantSerializer(many=True, read_only=True)

    class Meta:
        model = Product
        fields = [
            "slug",
            "name",
            "summary",
            "category",
            "url",
            "rating",
            "rating_count",
            "variants",
        ]

    def get_url(self, product: Product) -> str:
        return product.get_absolute_url()


class ProductDetailSerializer(ProductSerializer):
    class Meta(ProductSerializer.Meta):
        fields = [*ProductSerializer.Meta.fields, "description", "details"]


@extend_schema(
    parameters=[
        OpenApiParameter(
            "search",
            OpenApiTypes.STR,
            description=f"Words to look for. By `best`, {facets.MOST} matches are looked at and counted at most; any "
            "other `sort` goes through all of them.",
        ),
        OpenApiParameter("category", OpenApiTypes.STR, description="The slug of a category."),
        OpenApiParameter(
            "kind", OpenApiTypes.STR, many=True, description="Variants of this name; repeatable."
        ),
        OpenApiParameter("min", OpenApiTypes.DECIMAL, description="The lowest price from here on."),
        OpenApiParameter("max", OpenApiTypes.DECIMAL, description="The lowest price up to here."),
        OpenApiParameter("stock", OpenApiTypes.STR, description="`1`: what can be bought now."),
        OpenApiParameter("reduced", OpenApiTypes.STR, description="`1`: what is reduced."),
        OpenApiParameter(
            "sort",
            OpenApiTypes.STR,
            enum=[BEST, *SORTS],
            description="`best` is for searches, and then what comes first; else `newest`.",
        ),
    ],
)
class ProductList(generics.ListAPIView[Product]):
    """Published products, the newest or best matching first."""

    serializer_class = ProductSerializer

    def get_queryset(self) -> QuerySet[Product]:
        among = catalogue.published_without_pictures()
        found = search.matching(query=self.wanted.query, among=among)
        products = facets.narrow(found, self.wanted)
        if category := self.request.GET.get("category", "").replace("\x00", ""):
            products = products.filter(category__slug=category)
        return products

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """As on the page of a search, the best are those of what is looked at."""
        if self.wanted.sort == BEST:
            ranks = facets.look(queryset, self.wanted)
            pks = super().paginate_queryset(facets.best_first(ranks)[: facets.MOST])
            return None if pks is None else facets.load(catalogue.published_without_pictures(), pks)
        page = super().paginate_queryset(queryset.order_by(*SORTS[self.wanted.sort]))
        return None if page is None else catalogue.count_available(page)

    @cached_property
    def wanted(self) -> Wanted:
        return parse(self.request.GET, query=search.clean(self.request.GET.get("search", "")))


class ProductDetail(APIView):
    """One published product."""

    @extend_schema(operation_id="products_retrieve", responses=ProductDetailSerializer)
    def get(self, request: Request, slug: str) -> Response:
        found = catalogue.find_product(slug=slug)
        if found is None:
            raise Http404
        return Response(ProductDetailSerializer(found).data)
