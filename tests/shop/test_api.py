from decimal import Decimal

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.authtoken.models import Token

from shop import facets
from shop.models import Category, Product, Variant
from tests.factories import make_user, make_variant

TOKEN_URL = "/api/v1/auth/token/"


def test_the_right_password_gives_the_account_s_token(db: None, client: Client) -> None:
    user = make_user(password="kelp and salt 9")
    body = {"email": user.email.upper(), "password": "kelp and salt 9"}
    for _ in range(2):
        response = client.post(TOKEN_URL, body, content_type="application/json")
        assert response.status_code == 200
        assert response.json() == {"token": Token.objects.get(user=user).key}


def test_wrong_credentials_get_the_same_problem_whoever_is_meant(db: None, client: Client) -> None:
    user, gone = make_user(password="kelp and salt 9"), make_user(password="x", is_active=False)
    for email, password in ((user.email, "x"), ("nobody@example.com", "x"), (gone.email, "x")):
        response = client.post(
            TOKEN_URL, {"email": email, "password": password}, content_type="application/json"
        )
        assert response.status_code == 400
        assert response.json()["code"] == "invalid_credentials"
    assert not Token.objects.exists()


def test_an_account_with_a_second_factor_gets_no_token_for_its_password(
    db: None, client: Client
) -> None:
    user = make_user(password="kelp and salt 9")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    body = {"email": user.email, "password": "kelp and salt 9"}
    response = client.post(TOKEN_URL, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (403, "second_factor_required")
    assert not Token.objects.exists()


def test_broken_bodies_are_problems(db: None, client: Client) -> None:
    for body, code in (
        ("{", "parse_error"),
        ("[]", "invalid"),
        ('"x"', "invalid"),
        ("{}", "invalid"),
        ('{"email": ["a"], "password": {}}', "invalid"),
        ('{"email": "a@example.com", "password": "\\u0000"}', "invalid"),
    ):
        response = client.post(TOKEN_URL, body, content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (400, code), body
    assert client.post(TOKEN_URL, {"email": "a"}).status_code == 415
    assert client.get(TOKEN_URL).status_code == 405


def test_a_wrong_token_is_told(db: None, client: Client) -> None:
    response = client.get("/api/v1/products/", headers={"Authorization": "Token nonsense"})
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")


def test_products_are_paged_with_prices_as_strings(
    db: None, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    variants = [make_variant(units=1, price=Decimal("19.90")) for _ in range(25)]
    with django_assert_max_num_queries(5):
        body = client.get("/api/v1/products/").json()
    assert (body["count"], len(body["results"]), body["previous"]) == (25, 24, None)
    assert body["next"].endswith("/api/v1/products/?page=2")
    newest = variants[-1]
    assert body["results"][0] == {
        "slug": newest.product.slug,
        "name": newest.product.name,
        "summary": "Gives light.",
        "category": "lamps",
        "rating": "0.00",
        "rating_count": 0,
        "url": f"/p/{newest.product.slug}/",
        "variants": [
            {
                "sku": newest.sku,
                "name": "",
                "price": "19.90",
                "currency": "EUR",
                "compare_at_price": None,
                "lowest_price": None,
                "available": True,
            }
        ],
    }


def test_products_are_searched_and_chosen_by_category(db: None, client: Client) -> None:
    lamp, chair = make_variant().product, make_variant().product
    chairs = Category.objects.create(name="Chairs", slug="chairs")
    Product.objects.filter(pk=chair.pk).update(name="Milking stool", category=chairs)

    def slugs(**query: str) -> list[str]:
        results = client.get("/api/v1/products/", query).json()["results"]
        return [product["slug"] for product in results]

    assert slugs(search="stools") == [chair.slug]
    assert slugs(category="lamps") == [lamp.slug]
    assert slugs(search="stool", category="lamps") == []
    assert slugs(category="nothing") == []


def test_a_search_goes_through_so_many_matches_or_all_when_it_is_sorted(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "MOST", 2)
    slugs = [make_variant().product.slug for _ in range(4)]

    def found(sort: str) -> tuple[int, list[str]]:
        body = client.get("/api/v1/products/", {"search": "lamp", "sort": sort}).json()
        return body["count"], [product["slug"] for product in body["results"]]

    count, best = found("best")
    assert (count, len(best)) == (2, 2)
    assert set(best) < set(slugs)
    assert found("newest") == (4, slugs[::-1])


def test_the_best_match_comes_first(db: None, client: Client) -> None:
    by_name, by_details = make_variant().product, make_variant().product
    Product.objects.filter(pk=by_name.pk).update(name="A quince")
    Product.objects.filter(pk=by_details.pk).update(details="It smells of quince.")
    body = client.get("/api/v1/products/", {"search": "quince"}).json()
    assert body["count"] == 2
    assert [product["slug"] for product in body["results"]] == [by_name.slug, by_details.slug]


def test_a_page_that_is_not_there_is_a_problem(db: None, client: Client) -> None:
    response = client.get("/api/v1/products/", {"page": "9"})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_product_shows_its_variants_and_which_can_be_had(db: None, client: Client) -> None:
    free = make_variant(units=1)
    Variant.objects.create(product=free.product, sku="GONE", name="Oak", price=5, position=1)
    body = client.get(f"/api/v1/products/{free.product.slug}/").json()
    assert [(row["sku"], row["available"]) for row in body["variants"]] == [
        (free.sku, True),
        ("GONE", False),
    ]
    assert client.get("/api/v1/products/nothing/").json()["code"] == "not_found"


def test_products_are_narrowed_and_sorted(db: None, client: Client) -> None:
    dear = make_variant(units=1, name="Oak", price=90).product
    cheap = make_variant(name="Oak", price=10, compare_at_price=20).product
    for address, found in {
        "sort=price": [cheap, dear],
        "kind=Oak&stock=1": [dear],
        "reduced=1": [cheap],
        "max=50&search=lamp": [cheap],
    }.items():
        results = client.get(f"/api/v1/products/?{address}").json()["results"]
        assert [result["slug"] for result in results] == [one.slug for one in found], address
