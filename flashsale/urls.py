"""Pages of the front door."""

from django.urls import path

from flashsale import views

app_name = "flashsale"

urlpatterns = [
    path("sales/", views.sale_list, name="sales"),
    path("sales/<slug:slug>/", views.sale_detail, name="sale"),
    path("sales/<slug:slug>/line/", views.waiting_room, name="line"),
    path("sales/<slug:slug>/line/join/", views.join, name="join"),
    path("sales/<slug:slug>/line/enter/", views.enter, name="enter"),
    path("sales/<slug:slug>/line/leave/", views.leave, name="leave"),
    path("sales/<slug:slug>/buy/", views.buy, name="buy"),
    path("purchases/<uuid:purchase_id>/", views.purchase_detail, name="purchase"),
    path("purchases/<uuid:purchase_id>/release/", views.purchase_release, name="purchase-release"),
    path(
        "purchases/<uuid:purchase_id>/checkout/",
        views.purchase_checkout,
        name="purchase-checkout",
    ),
]
