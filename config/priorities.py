"""How long each route answers while the load grows. Every named route is declared here."""

from functools import cache

from flashsale.shedding import Priority

#: Routes by name. What is optional here must be missed by nobody who buys.
ROUTES = {
    "shop:home": Priority.BROWSING,
    "shop:search": Priority.BROWSING,
    "shop:category": Priority.BROWSING,
    "shop:product": Priority.BROWSING,
    "shop:product-reviews": Priority.OPTIONAL,
    "shop:review-write": Priority.OPTIONAL,
    "shop:product-related": Priority.OPTIONAL,
    "shop:recent": Priority.OPTIONAL,
    "shop:suggestions": Priority.OPTIONAL,
    "shop:personal": Priority.ESSENTIAL,
    "shop:cart": Priority.ESSENTIAL,
    "shop:cart-add": Priority.ESSENTIAL,
    "shop:cart-update": Priority.ESSENTIAL,
    "shop:cart-remove": Priority.ESSENTIAL,
    "shop:cart-save": Priority.ESSENTIAL,
    "shop:cart-take": Priority.ESSENTIAL,
    "shop:cart-discount": Priority.ESSENTIAL,
    "shop:stock-alert": Priority.BROWSING,
    "shop:stock-alert-panel": Priority.OPTIONAL,
    "shop:stock-alert-end": Priority.ESSENTIAL,
    "shop:stock-offer": Priority.CHECKOUT,
    "shop:stock-offer-decline": Priority.CHECKOUT,
    "shop:wishlist": Priority.BROWSING,
    "shop:wish": Priority.OPTIONAL,
    "shop:wish-move": Priority.BROWSING,
    "shop:wish-hearts": Priority.OPTIONAL,
    "shop:wish-count": Priority.OPTIONAL,
    "shop:checkout": Priority.CHECKOUT,
    "shop:order": Priority.CHECKOUT,
    "shop:order-find": Priority.ESSENTIAL,
    "shop:order-pay": Priority.CHECKOUT,
    "shop:order-pay-otherwise": Priority.CHECKOUT,
    "shop:demo-bank": Priority.CHECKOUT,
    "shop:order-cancel": Priority.CHECKOUT,
    "shop:order-invoice": Priority.ESSENTIAL,
    "shop:order-credit-note": Priority.ESSENTIAL,
    "shop:order-return": Priority.ESSENTIAL,
    "shop:order-extend": Priority.CHECKOUT,
    "shop:account": Priority.ESSENTIAL,
    "shop:addresses": Priority.ESSENTIAL,
    "shop:address-new": Priority.ESSENTIAL,
    "shop:address-edit": Priority.ESSENTIAL,
    "shop:address-delete": Priority.ESSENTIAL,
    "shop:account-alerts": Priority.ESSENTIAL,
    "shop:account-reviews": Priority.ESSENTIAL,
    "shop:privacy": Priority.ESSENTIAL,
    "shop:privacy-export": Priority.BROWSING,
    "shop:privacy-delete": Priority.ESSENTIAL,
    "shop:details": Priority.ESSENTIAL,
    # The checkout links to it.
    "shop:page-terms": Priority.ESSENTIAL,
    "shop:styleguide": Priority.OPTIONAL,
    "flashsale:feed": Priority.OPTIONAL,
    "flashsale:draw": Priority.BROWSING,
    "flashsale:draw-script": Priority.BROWSING,
    "flashsale:line-css": Priority.BROWSING,
    "flashsale:purchase": Priority.CHECKOUT,
    "flashsale:purchase-extend": Priority.CHECKOUT,
    "flashsale:purchase-release": Priority.CHECKOUT,
    "flashsale:purchase-checkout": Priority.CHECKOUT,
    "api:purchase": Priority.CHECKOUT,
    "api:purchase-extension": Priority.CHECKOUT,
    "api:purchase-order": Priority.CHECKOUT,
    "api:sale": Priority.ESSENTIAL,
    "api:sales": Priority.ESSENTIAL,
    "api:sale-line": Priority.ESSENTIAL,
    "api:sale-ticket": Priority.ESSENTIAL,
    "api:sale-admission": Priority.ESSENTIAL,
    "api:sale-purchases": Priority.CHECKOUT,
    "api:auth-token": Priority.ESSENTIAL,
    "api:schema": Priority.OPTIONAL,
    "live": Priority.ALWAYS,
    "ready": Priority.ALWAYS,
    "metrics": Priority.ALWAYS,
    "set_language": Priority.ESSENTIAL,
    "robots": Priority.ALWAYS,
    "sitemap": Priority.OPTIONAL,
    "sitemap-section": Priority.OPTIONAL,
    "media": Priority.BROWSING,
}
#: Routes by how their name begins, for those that are not named above.
FAMILIES = {
    "admin:": Priority.ALWAYS,
    "api:order": Priority.CHECKOUT,
    "api:product": Priority.BROWSING,
    "api:cart": Priority.ESSENTIAL,
    "api:wish": Priority.OPTIONAL,
    "shop:payment": Priority.CHECKOUT,
    "shop:mailbox": Priority.BROWSING,
    "shop:page-": Priority.BROWSING,
    "flashsale:": Priority.ESSENTIAL,
    "account_": Priority.ESSENTIAL,
    "mfa_": Priority.ALWAYS,
}
#: A route without a name.
UNNAMED = Priority.BROWSING


@cache
def priority_of(name: str) -> Priority:
    """The priority of a route by its `view_name`."""
    return declared(name) or UNNAMED


def declared(name: str) -> Priority | None:
    """The declared priority of a named route; None when there is none, which a test finds."""
    if name in ROUTES:
        return ROUTES[name]
    return next((FAMILIES[start] for start in FAMILIES if name.startswith(start)), None)
