"""Addresses of the shop's pages."""

from django.urls import path

from shop.views import (
    account,
    carts,
    catalogue,
    checkout,
    mailbox,
    orders,
    papers,
    returns,
    reviews,
    stock_alerts,
    wishlists,
)

app_name = "shop"

urlpatterns = [
    path("", catalogue.home, name="home"),
    path("search/", catalogue.search, name="search"),
    path("c/<slug:slug>/", catalogue.category, name="category"),
    path("p/<slug:slug>/", catalogue.product, name="product"),
    path("p/<slug:slug>/related/", catalogue.related, name="product-related"),
    path("account/", account.account, name="account"),
    path("account/addresses/", account.addresses, name="addresses"),
    path("account/addresses/new/", account.address_new, name="address-new"),
    path("account/addresses/<int:pk>/", account.address_edit, name="address-edit"),
    path("account/addresses/<int:pk>/delete/", account.address_delete, name="address-delete"),
    path("account/details/", account.details, name="details"),
    *carts.urlpatterns,
    *checkout.urlpatterns,
    *orders.urlpatterns,
    *papers.urlpatterns,
    *returns.urlpatterns,
    *reviews.urlpatterns,
    *stock_alerts.urlpatterns,
    *wishlists.urlpatterns,
    *mailbox.urlpatterns,
]
