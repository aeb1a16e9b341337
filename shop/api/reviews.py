"""Reviews over the API: those that are shown, and one's own."""

from typing import cast

from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from shop import catalogue, reviews
from shop.models import Product, Review, User
from shop.problems import Problem
from shop.ratelimits import enforce
from shop.reviews import LONGEST_BODY, WhyNot
from shop.views.reviews import REVIEW_LIMITS

RATINGS = ("1", "2", "3", "4", "5")
EXAMPLE = OpenApiExample(
    "Four stars",
    value={
        "rating": 4,
        "title": "Sits well in the hand",
        "body": "The glaze is warmer than shown.",
    },
    request_only=True,
)


class ReviewSerializer(serializers.ModelSerializer[Review]):
    author = serializers.CharField(source="user.get_public_name", read_only=True)
    is_bought = serializers.BooleanField(read_only=True)

    class Meta:
        model = Review
        fields = ["rating", "title", "body", "author", "is_bought", "created_at"]


class OwnReviewSerializer(serializers.ModelSerializer[Review]):
    body = serializers.CharField(max_length=LONGEST_BODY, required=False, allow_blank=True)
    state = serializers.ChoiceField(choices=["waiting", "shown", "refused"], read_only=True)

    class Meta:
        model = Review
        fields = ["rating", "title", "body", "state", "refusal", "created_at"]
        read_only_fields = ["refusal", "created_at"]


@extend_schema(
    parameters=[
        OpenApiParameter(
            "rating",
            OpenApiTypes.INT,
            enum=list(map(int, RATINGS)),
            description="Only those with so many stars.",
        )
    ]
)
class ReviewList(generics.ListAPIView[Review]):
    """The reviews of a product that are shown, the newest first."""

    serializer_class = ReviewSerializer
    queryset = Review.objects.none()

    def get_queryset(self) -> QuerySet[Review]:
        shown = reviews.shown(product=_product(self.kwargs["slug"]))
        rating = self.request.GET.get("rating")
        if rating is None:
            return shown
        if rating not in RATINGS:
            raise ValidationError({"rating": "Stars are a whole number from 1 to 5."})
        return shown.filter(rating=int(rating))


class OwnReview(APIView):
    """Your own review of a product that you bought."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="own_review", responses=OwnReviewSerializer)
    def get(self, request: Request, slug: str) -> Response:
        own = reviews.standing(user=request.user, product=_product(slug)).own
        if own is None:
            raise Http404
        return Response(OwnReviewSerializer(own).data)

    @extend_schema(
        operation_id="own_review_write",
        request=OwnReviewSerializer,
        responses={200: OwnReviewSerializer, 201: OwnReviewSerializer},
        examples=[EXAMPLE],
    )
    def put(self, request: Request, slug: str) -> Response:
        """Write it, or write it anew; it is shown once somebody has read it."""
        enforce(request=request, name="review", limits=REVIEW_LIMITS)
        product = _product(slug)
        body = OwnReviewSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        fields = {"body": ""} | body.validated_data
        outcome = reviews.write(user=_user(request), product=product, **fields)
        if isinstance(outcome, WhyNot):
            raise Problem(
                status=403, code=outcome.value, detail="Those who bought it may write about it."
            )
        status = 201 if outcome.is_new else 200
        return Response(OwnReviewSerializer(outcome.review).data, status=status)

    @extend_schema(operation_id="own_review_remove", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Take it back."""
        enforce(request=request, name="review", limits=REVIEW_LIMITS)
        if not reviews.remove(user=_user(request), product=_product(slug)):
            raise Http404
        return Response(status=204)


def _user(request: Request) -> User:
    return cast("User", request.user)  # what IsAuthenticated means


def _product(slug: str) -> Product:
    found = catalogue.published().prefetch_related(None).filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


urlpatterns = [
    path("products/<slug:slug>/reviews/", ReviewList.as_view(), name="product-reviews"),
    path("products/<slug:slug>/reviews/mine/", OwnReview.as_view(), name="product-own-review"),
]
