import pytest
from django.http import HttpRequest
from django.test import Client
from rest_framework import exceptions, serializers

from shop import problems


class Inner(serializers.Serializer[None]):
    size = serializers.IntegerField()


class Outer(serializers.Serializer[None]):
    name = serializers.CharField()
    parts = Inner(many=True)


def answer(error: Exception) -> tuple[int, dict[str, object]]:
    response = problems.exception_handler(error, {})
    assert response is not None
    assert response.content_type == "application/problem+json"
    return response.status_code, response.data


def test_a_problem_says_its_code_status_and_what_else_it_was_given() -> None:
    error = problems.Problem(
        status=403, code="challenge_required", detail="Solve this.", challenge={"salt": "x"}
    )
    assert answer(error) == (
        403,
        {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "code": "challenge_required",
            "detail": "Solve this.",
            "challenge": {"salt": "x"},
        },
    )


def test_retry_after_becomes_the_header() -> None:
    error = problems.Problem(status=425, code="too_early", detail="Wait.", retry_after=7)
    response = problems.exception_handler(error, {})
    assert response is not None
    assert response.headers["Retry-After"] == "7"


def test_field_errors_point_at_their_fields() -> None:
    form = Outer(data={"parts": [{"size": 1}, {"size": "x"}]})
    with pytest.raises(exceptions.ValidationError) as caught:
        form.is_valid(raise_exception=True)
    status, data = answer(caught.value)
    assert (status, data["code"]) == (400, "invalid")
    assert data["errors"] == [
        {"pointer": "#/name", "code": "required", "detail": "This field is required."},
        {"pointer": "#/parts/1/size", "code": "invalid", "detail": "A valid integer is required."},
    ]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.Throttled(), 429, "throttled"),
    ],
)
def test_every_expected_error_has_a_stable_code(
    error: exceptions.APIException, status: int, code: str
) -> None:
    found, data = answer(error)
    assert (found, data["code"]) == (status, code)


def test_an_unexpected_error_is_left_to_crash() -> None:
    assert problems.exception_handler(ZeroDivisionError(), {}) is None


def test_unknown_addresses_are_a_page_for_people_and_a_problem_for_programs(
    db: None, client: Client
) -> None:
    assert client.get("/nothing").headers["Content-Type"] == "text/html; charset=utf-8"
    response = client.get("/api/v1/nothing/")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_form_without_its_secret_is_refused_with_our_own_page(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/cart/add/", {"sku": "A", "quantity": 1})
    assert response.status_code == 403
    assert "403.html" in [template.name for template in response.templates]


def test_a_crash_shows_the_light_page_and_programs_get_a_problem(client: Client) -> None:
    request = HttpRequest()
    request.path = "/"
    page = problems.server_error(request)
    assert (page.status_code, page.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    request.path = "/api/v1/products/"
    assert problems.server_error(request).headers["Content-Type"] == "application/problem+json"


def test_a_host_that_is_not_ours_is_a_bad_request(client: Client) -> None:
    request = HttpRequest()
    request.path, request.user = "/", None  # type: ignore[assignment]  # nobody was looked for
    request.META["SERVER_NAME"] = "example.com"
    assert problems.bad_request(request, ValueError()).status_code == 400
