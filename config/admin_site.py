"""The back office's front door: allauth's sign-in, and a second factor for those who work here."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from shop.accounts import needs_second_factor


class HoldfastAdminSite(AdminSite):
    site_title = settings.SHOP_NAME
    site_header = f"{settings.SHOP_NAME} back office"
    index_title = "Overview"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not needs_second_factor(request.user)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Whoever may not enter comes here: to sign in, to set the second factor up, or to be told no."""
        if super().has_permission(request) and needs_second_factor(request.user):
            messages.info(request, "Set up a second factor first: it guards the back office.")
            return redirect("mfa_activate_totp")
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response
