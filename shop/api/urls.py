"""The shop's part of /api/v1/."""

from django.urls import path

from shop.api import auth, catalogue, orders

urlpatterns = [
    path("auth/token/", auth.AuthToken.as_view(), name="auth-token"),
    path("products/", catalogue.ProductList.as_view(), name="product-list"),
    path("products/<slug:slug>/", catalogue.ProductDetail.as_view(), name="product-detail"),
    *orders.urlpatterns,
]
