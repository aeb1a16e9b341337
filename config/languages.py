"""The language that a page is in: what its reader chose in the footer, else what their browser asks for.

The API and the back office speak English whoever asks: programs are written against one text, and the words of
the admin are the merchant's own. What is the same bytes for everybody (the line's document, style sheets, the
site map) has no language, so nothing is said about one in its headers.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.i18n import set_language

from shop import accounts
from shop.models import User

#: Addresses that are in English for everybody.
ENGLISH_ONLY = ("/api/", "/admin/", "/healthz/", "/metrics")


class LanguageMiddleware:
    """Let everything that answers a request do so in its reader's language, and forget it afterwards.

    Django's own `LocaleMiddleware` leaves the language of the last request with the thread; the express way
    runs on the same threads and would speak it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(ENGLISH_ONLY):
            with translation.override(settings.LANGUAGE_CODE, deactivate=True):
                return self.get_response(request)
        with translation.override(translation.get_language_from_request(request), deactivate=True):
            language = translation.get_language() or settings.LANGUAGE_CODE
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
            response.headers.setdefault("Content-Language", language)
        return response


@csrf_exempt
def choose(request: HttpRequest) -> HttpResponseBase:
    """Keep the choice of the footer in a cookie, and with the account, for its mails.

    It needs no token: a page that everybody gets alike has none to give, and whoever tricks somebody into another
    language has won nothing.
    """
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and translation.check_for_language(language):
        accounts.remember_language(user=request.user, language=language)
    return set_language(request)
