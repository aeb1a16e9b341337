"""The shop's part of /api/v1/."""

from django.urls import path

from shop.api import auth, carts, catalogue, orders, reviews, wishlists

urlpatterns = [
    path("auth/token/", auth.AuthToken.as_view(), name="auth-token"),
    path("products/", catalogue.ProductList.as_view(), name="product-list"),
    path("products/<slug:slug>/", catalogue.ProductDetail.as_view(), name="product-detail"),
    *carts.urlpatterns,
    *orders.urlpatterns,
    *reviews.urlpatterns,
    *wishlists.urlpatterns,
]
