"""Tables of the shop, one module a subject."""

from shop.models.accounts import Address, User
from shop.models.aftercare import Invoice, Refund, RefundLine, Return, ReturnLine
from shop.models.alerts import StockAlert, StockOffer
from shop.models.carts import Cart, CartLine
from shop.models.catalogue import (
    LISTED,
    Category,
    Product,
    ProductImage,
    Review,
    SearchWord,
    TaxClass,
    Variant,
)
from shop.models.idempotency import IdempotentAnswer
from shop.models.mails import OutgoingMail
from shop.models.orders import LineItem, Order, OrderEvent
from shop.models.payments import (
    DemoAuthorisation,
    DemoDelivery,
    DemoRefund,
    PaymentEvent,
    PaymentIntent,
)
from shop.models.prices import PriceRecord
from shop.models.selling import (
    DiscountCode,
    DiscountUse,
    ShippingMethod,
    ShippingRate,
    TaxRate,
)
from shop.models.wishes import Wish

__all__ = [
    "LISTED",
    "Address",
    "Cart",
    "CartLine",
    "Category",
    "DemoAuthorisation",
    "DemoDelivery",
    "DemoRefund",
    "DiscountCode",
    "DiscountUse",
    "IdempotentAnswer",
    "Invoice",
    "LineItem",
    "Order",
    "OrderEvent",
    "OutgoingMail",
    "PaymentEvent",
    "PaymentIntent",
    "PriceRecord",
    "Product",
    "ProductImage",
    "Refund",
    "RefundLine",
    "Return",
    "ReturnLine",
    "Review",
    "SearchWord",
    "ShippingMethod",
    "ShippingRate",
    "StockAlert",
    "StockOffer",
    "TaxClass",
    "TaxRate",
    "User",
    "Variant",
    "Wish",
]
