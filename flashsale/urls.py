"""Pages of the front door."""

from django.urls import path

from flashsale import feeds
from flashsale.views import draws, line, purchases, sales

app_name = "flashsale"

urlpatterns = [
    path("sales/", sales.sale_list, name="sales"),
    path("sales.rss", feeds.feed, name="feed"),
    path("sales/<slug:slug>/", sales.sale_detail, name="sale"),
    path("sales/<slug:slug>/draw/", draws.draw, name="draw"),
    path("sales/<slug:slug>/draw/check_place.py", draws.script, name="draw-script"),
    path("sales/<slug:slug>/line/", line.waiting_room, name="line"),
    path("sales/<slug:slug>/line.css", line.stylesheet, name="line-css"),
    path("sales/<slug:slug>/line/join/", line.join, name="join"),
    path("sales/<slug:slug>/line/enter/", line.enter, name="enter"),
    path("sales/<slug:slug>/line/away/", line.away, name="away"),
    path("sales/<slug:slug>/line/alert/", line.alert, name="line-alert"),
    path("sales/<slug:slug>/line/leave/", line.leave, name="leave"),
    path("sales/<slug:slug>/buy/", purchases.buy, name="buy"),
    path("purchases/<uuid:purchase_id>/", purchases.purchase_detail, name="purchase"),
    path(
        "purchases/<uuid:purchase_id>/release/", purchases.purchase_release, name="purchase-release"
    ),
    path("purchases/<uuid:purchase_id>/extend/", purchases.purchase_extend, name="purchase-extend"),
    path(
        "purchases/<uuid:purchase_id>/checkout/",
        purchases.purchase_checkout,
        name="purchase-checkout",
    ),
]
