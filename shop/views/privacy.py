"""What a shopper may ask of us: a copy of all that we have about them, and to be forgotten."""

import json
from typing import cast

from allauth.account.utils import has_verified_email
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from shop import privacy
from shop.forms import DeleteAccountForm
from shop.models import User
from shop.privacy import NotNow
from shop.ratelimits import ACCOUNT_LIMITS, limited


@never_cache
@login_required
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/privacy.html")


@never_cache
@login_required
@limited("account", *ACCOUNT_LIMITS)
@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """A file: the browser keeps it, and no page shows it.

    Some of it is found by the address alone, so whoever asks has to have shown that it is theirs.
    """
    user = cast("User", request.user)
    if not has_verified_email(user, user.email):
        messages.error(request, _("Confirm your address first: it may be somebody else's."))
        return redirect("account_email")
    text = json.dumps(privacy.export(user), ensure_ascii=False, indent=2)
    return HttpResponse(
        text,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="my-data.json"'},
    )


@never_cache
@login_required
@limited("account", *ACCOUNT_LIMITS)
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    user = cast("User", request.user)
    form = DeleteAccountForm(request.POST or None, user=user)
    reasons = privacy.reasons_against(user)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            outcome = privacy.delete(user)
            if not isinstance(outcome, NotNow):
                logout(request)
                messages.success(request, _("Your account is gone, and so is what we knew of you."))
                return redirect("shop:home")
            reasons, status = list(outcome.reasons), 409
    context = {"form": form, "reasons": reasons}
    return render(request, "shop/privacy_delete.html", context, status=status)


urlpatterns = [
    path("account/privacy/", overview, name="privacy"),
    path("account/privacy/export/", export, name="privacy-export"),
    path("account/privacy/delete/", delete, name="privacy-delete"),
]
