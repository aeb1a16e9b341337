"""How the OpenAPI schema describes the shoppers' authentication."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ShopperScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its registry
    target_class = "flashsale.shoppers.ShopperAuthentication"
    name = ["shopperToken", "shopperCookie"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        """Either of them is enough."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Token <token>` from `auth/token/`.",
            },
            {
                "type": "apiKey",
                "in": "cookie",
                "name": "shopper",
                "description": "A browser's signed cookie; POST and DELETE need a CSRF token, too.",
            },
        ]
