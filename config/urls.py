"""Every address there is. Outermost room first; the shop's home is last."""

from allauth.account import views as account_views
from allauth.mfa.base import views as mfa_views
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView

from config import crawlers, health, languages
from shop.ratelimits import (
    ACCOUNT_LIMITS,
    SECOND_FACTOR_LIMITS,
    SIGN_IN_LIMITS,
    SIGN_UP_LIMITS,
    limited,
)

handler400 = "shop.problems.bad_request"
handler403 = "shop.problems.permission_denied"
handler404 = "shop.problems.page_not_found"
handler500 = "shop.problems.server_error"

#: allauth's pages that take a password, a code or an address for mail, with our limits around them.
limited_accounts = [
    path("login/", limited("sign-in", *SIGN_IN_LIMITS)(account_views.login), name="account_login"),
    path(
        "signup/", limited("sign-up", *SIGN_UP_LIMITS)(account_views.signup), name="account_signup"
    ),
    path(
        "password/reset/",
        limited("password-reset", *SIGN_UP_LIMITS)(account_views.password_reset),
        name="account_reset_password",
    ),
    path(
        "password/change/",
        limited("account", *ACCOUNT_LIMITS)(account_views.password_change),
        name="account_change_password",
    ),
    path("email/", limited("account", *ACCOUNT_LIMITS)(account_views.email), name="account_email"),
    path(
        "reauthenticate/",
        limited("account", *ACCOUNT_LIMITS)(account_views.reauthenticate),
        name="account_reauthenticate",
    ),
    path(
        "2fa/authenticate/",
        limited("second-factor", *SECOND_FACTOR_LIMITS)(mfa_views.authenticate),
        name="mfa_authenticate",
    ),
    path(
        "2fa/reauthenticate/",
        limited("account", *ACCOUNT_LIMITS)(mfa_views.reauthenticate),
        name="mfa_reauthenticate",
    ),
]

api: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("flashsale.api_urls")),
    path("", include("shop.api.urls")),
]

urlpatterns = [
    path("healthz/live", health.live, name="live"),
    path("healthz/ready", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("language/", languages.choose, name="set_language"),
    path("robots.txt", crawlers.robots, name="robots"),
    path("sitemap.xml", crawlers.sitemap, name="sitemap"),
    path("sitemap-<section>.xml", crawlers.sitemap_section, name="sitemap-section"),
    path("admin/", admin.site.urls),
    path("accounts/", include(limited_accounts)),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include((api, "api"))),
    path("", include("flashsale.urls")),
    path("", include("shop.urls")),
]

if settings.SERVE_MEDIA:
    urlpatterns.append(
        re_path(
            r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}, name="media"
        )
    )
