"""Errors as people and programs get them: pages, and RFC 9457 problem documents for the API.

Every problem has a stable `code`; clients decide by it, never by the text.
"""

import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler

from shop.models import Category
from shop.ratelimits import TooManyRequestsError

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
#: Seconds after which who met a database that was away may try again.
RETRY_SECONDS = 5


class Problem(exceptions.APIException):
    """An answer of the API that is not a success: raise it anywhere in an API view."""

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        retry_after: int | None = None,
        **more: Any,
    ) -> None:
        """`retry_after` in seconds becomes the header; `more` are further members of the document."""
        self.status_code = status
        self.code = code
        self.retry_after = retry_after
        self.more = more
        super().__init__(detail=detail, code=code)


def document(*, status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The members of a problem document, RFC 9457 section 3.1; `code` and `more` are extensions."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's EXCEPTION_HANDLER. What is no expected error goes on to crash."""
    if isinstance(error, TooManyRequestsError):
        error = Problem(
            status=429,
            code="too_many_requests",
            detail=str(error),
            retry_after=error.retry_after,
        )
    elif isinstance(error, Http404):
        error = exceptions.NotFound(str(error) or None)
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    response = rest_exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    response.data = _document_of(error)
    response.content_type = CONTENT_TYPE
    if isinstance(error, Problem) and error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, status=400, code="bad_request", detail="This request makes no sense.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, TooManyRequestsError):
        response = _answer(
            request,
            status=429,
            code="too_many_requests",
            detail=str(exception),
            retry_after=exception.retry_after,
        )
        response["Retry-After"] = str(exception.retry_after)
        return response
    return _answer(
        request, status=403, code="permission_denied", detail="This is not yours to see."
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form from another site, or one older than the sign-in."""
    return _answer(
        request,
        status=403,
        code="csrf_failed",
        detail="This form is out of date. Go back, load the page again, and send it once more.",
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request, status=404, code="not_found", detail="There is nothing at this address."
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours; or PostgreSQL is away, or kept a request waiting for too long, which passes by itself."""
    if not isinstance(sys.exception(), OperationalError | InterfaceError):
        return _answer(
            request, status=500, code="error", detail="Something went wrong on our side."
        )
    response = _answer(
        request,
        status=503,
        code="busy",
        detail="We could not do this just now. Please try again in a few seconds.",
    )
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response


def _answer(
    request: HttpRequest, *, status: int, code: str, detail: str, retry_after: int | None = None
) -> HttpResponse:
    if request.path.startswith(API_PREFIX):
        return JsonResponse(
            document(status=status, code=code, detail=detail),
            status=status,
            content_type=CONTENT_TYPE,
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # No request: its context processors may be what broke.
        is_away = status == HTTPStatus.SERVICE_UNAVAILABLE
        return render(None, f"{status}.html", {"database_is_away": is_away}, status=status)
    context: dict[str, Any] = {"retry_after": retry_after}
    if status == HTTPStatus.NOT_FOUND:
        context["categories"] = Category.objects.all()
    return render(request, f"{status}.html", context, status=status)


def _document_of(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return document(
            status=error.status_code,
            code="invalid",
            detail="Some of what was sent cannot be used; `errors` says what.",
            errors=list(_field_errors(error.get_full_details(), "#")),
        )
    if isinstance(error, Problem):
        return document(
            status=error.status_code, code=error.code, detail=str(error.detail), **error.more
        )
    return document(status=error.status_code, code=str(error.get_codes()), detail=str(error.detail))


def _field_errors(details: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Flatten DRF's nested details to RFC 9457's list; `pointer` is a JSON pointer (RFC 6901)."""
    if isinstance(details, list):
        for position, part in enumerate(details):
            is_error = isinstance(part, dict) and {"message", "code"} == set(part)
            yield from _field_errors(part, pointer if is_error else f"{pointer}/{position}")
    elif {"message", "code"} == set(details):
        yield {"pointer": pointer, "code": details["code"], "detail": details["message"]}
    else:
        for name, part in details.items():
            yield from _field_errors(
                part, pointer if name == "non_field_errors" else f"{pointer}/{name}"
            )
