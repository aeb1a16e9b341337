"""Addresses of the shop's pages."""

from django.urls import path

from shop.views import (
    account,
    carts,
    catalogue,
    checkout,
    fragments,
    mailbox,
    order_links,
    orders,
    pages,
    papers,
    privacy,
    returns,
    reviews,
    stock_alerts,
    wishlists,
)

app_name = "shop"

urlpatterns = [
    path("", catalogue.home, name="home"),
    path("search/", catalogue.find, name="search"),
    path("search/suggestions/", fragments.suggestions, name="suggestions"),
    path("c/<slug:slug>/", catalogue.category, name="category"),
    path("p/<slug:slug>/", catalogue.product, name="product"),
    path("p/<slug:slug>/related/", fragments.related, name="product-related"),
    path("recent/", fragments.recent, name="recent"),
    path("personal/", fragments.personal, name="personal"),
    *account.urlpatterns,
    *privacy.urlpatterns,
    *carts.urlpatterns,
    *checkout.urlpatterns,
    *order_links.urlpatterns,  # before the orders, whose references could be any word
    *orders.urlpatterns,
    *pages.urlpatterns,
    *papers.urlpatterns,
    *returns.urlpatterns,
    *reviews.urlpatterns,
    *stock_alerts.urlpatterns,
    *wishlists.urlpatterns,
    *mailbox.urlpatterns,
]
