"""Routes of the sale's part of the API; they share the namespace `api` with the shop's."""

from django.urls import path

from flashsale import api

urlpatterns = [
    path("sales/", api.SaleList.as_view(), name="sales"),
    path("sales/<slug:slug>/", api.SaleDetail.as_view(), name="sale"),
    path("sales/<slug:slug>/line/", api.LineDocument.as_view(), name="sale-line"),
    path("sales/<slug:slug>/ticket/", api.TicketView.as_view(), name="sale-ticket"),
    path("sales/<slug:slug>/admission/", api.AdmissionView.as_view(), name="sale-admission"),
    path("sales/<slug:slug>/purchases/", api.BuyView.as_view(), name="sale-purchases"),
    path("purchases/<uuid:purchase_id>/", api.PurchaseDetail.as_view(), name="purchase"),
    path(
        "purchases/<uuid:purchase_id>/extension/",
        api.ExtensionView.as_view(),
        name="purchase-extension",
    ),
    path("purchases/<uuid:purchase_id>/order/", api.OrderView.as_view(), name="purchase-order"),
]
