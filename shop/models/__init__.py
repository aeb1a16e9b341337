"""Tables of the shop, one module a subject."""

from shop.models.accounts import Address, User
from shop.models.carts import Cart, CartLine
from shop.models.catalogue import Category, Product, ProductImage, Review, Variant
from shop.models.orders import LineItem, Order, OrderEvent
from shop.models.payments import DemoAuthorisation, DemoDelivery, PaymentEvent, PaymentIntent

__all__ = [
    "Address",
    "Cart",
    "CartLine",
    "Category",
    "DemoAuthorisation",
    "DemoDelivery",
    "LineItem",
    "Order",
    "OrderEvent",
    "PaymentEvent",
    "PaymentIntent",
    "Product",
    "ProductImage",
    "Review",
    "User",
    "Variant",
]
