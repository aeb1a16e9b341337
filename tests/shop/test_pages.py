"""Pages that are the same for everybody: what may be kept of them, and that nothing of anybody's is in them."""

import pytest
from django.contrib.messages import constants
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from shop import pages, reviews
from shop.models import Product, Review, User, Variant
from tests.factories import make_sale, make_user, make_variant
from tests.shop.ordering import staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept(settings: Settings) -> None:
    settings.PAGE_CACHE_SECONDS = 30


def buyer(variant: Variant) -> Client:
    """Somebody with a name, a cart, a token and a language of their own."""
    client = Client()
    client.force_login(User.objects.get(pk=make_user(name="Ada Private").pk))
    client.post("/cart/add/", {"sku": variant.sku, "quantity": 2})
    client.get("/cart/")  # reads the message, and sets the token's cookie
    assert client.cookies["csrftoken"].value
    return client


def addresses(variant: Variant) -> list[str]:
    url = variant.product.get_absolute_url()
    lists = ["/", "/search/", "/search/?q=lamp", "/c/lamps/", "/about/", "/terms/"]
    return [*lists, url, f"{url}?variant={variant.sku}"]


@pytest.mark.usefixtures("kept")
def test_everybody_gets_the_same_bytes_and_no_cookie() -> None:
    variant = make_variant(units=9)
    ada = buyer(variant)
    for address in addresses(variant):
        of_ada, of_nobody = ada.get(address), Client().get(address)
        assert of_ada.content == of_nobody.content, address
        for answer in (of_ada, of_nobody):
            assert not answer.cookies, address
            # By its language alone, which a cookie may name.
            assert answer["Vary"] == "Accept-Language, Cookie", address
            assert answer["Cache-Control"].startswith("public, max-age="), address
            assert b"csrfmiddlewaretoken" not in answer.content
            assert b"cart-count" not in answer.content


def test_control_a_page_that_is_not_shared_differs_from_shopper_to_shopper() -> None:
    """The comparison above would find a cart, a token and a cookie."""
    variant = make_variant(units=9)
    of_ada, of_nobody = buyer(variant).get("/cart/"), Client().get("/cart/")
    assert of_ada.content != of_nobody.content
    assert b"csrfmiddlewaretoken" in of_ada.content
    assert b"cart-count" in of_ada.content


@pytest.mark.usefixtures("kept")
def test_what_is_a_shoppers_own_comes_from_an_address_that_nobody_keeps() -> None:
    variant = make_variant(units=9)
    of_ada, of_nobody = buyer(variant).get("/personal/"), Client().get("/personal/")
    assert "no-store" in of_ada["Cache-Control"]
    assert b'cart-count"><span class="visually-hidden">holds </span>2<' in of_ada.content
    assert b"Sign out" in of_ada.content
    assert b"cart-count" not in of_nobody.content
    assert b"Sign in" in of_nobody.content
    assert not of_nobody.cookies


@pytest.mark.usefixtures("kept")
def test_a_kept_page_takes_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    variant = make_variant(units=9)
    for address in ("/", "/search/", "/c/lamps/", "/c/lamps/?sort=price", *addresses(variant)[-2:]):
        first = Client().get(address).content
        with django_assert_num_queries(0):
            assert Client().get(address).content == first


@pytest.mark.usefixtures("kept")
def test_addresses_of_ones_own_making_are_not_kept(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    variant = make_variant(units=9)
    url = variant.product.get_absolute_url()
    for address in ("/?x=1", "/search/?q=lamp", f"{url}?variant=nonsense", "/c/lamps/?page=99"):
        Client().get(address)
        assert stored(address) is None, address
    Client().get(url)
    assert stored(url) is not None


def stored(address: str) -> bytes | None:
    return pages._find(RequestFactory().get(address))


@pytest.mark.usefixtures("kept")
def test_what_is_saved_is_seen_at_once(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    product = make_variant(units=9).product
    url = product.get_absolute_url()
    Client().get(url)
    Product.objects.filter(pk=product.pk).update(name="Behind our back")
    assert b"Behind our back" not in Client().get(url).content  # control: it was kept
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        product.name = "Said aloud"
        product.save()
    assert b"Said aloud" in Client().get(url).content


@pytest.mark.usefixtures("kept", "without_second_factor")
def test_what_staff_withdraw_or_approve_is_seen_at_once(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    product = make_variant(units=9).product
    review = Review.objects.create(product=product, user=make_user(), rating=2, title="So so")
    url = product.get_absolute_url()
    assert b"from 1 review" not in Client().get(url).content
    with django_capture_on_commit_callbacks(execute=True):
        reviews.decide(pks=[review.pk], read_at=timezone.now(), actor="staff@example.com")
    assert b"from 1 review" in Client().get(url).content
    action = {"action": "withdraw", "_selected_action": [product.pk]}
    with django_capture_on_commit_callbacks(execute=True):
        staff("view_product", "change_product").post("/admin/shop/product/", action)
    assert Client().get(url).status_code == 404


@pytest.fixture
def without_second_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


@pytest.mark.usefixtures("kept")
def test_a_look_at_the_headers_alone_spoils_no_page() -> None:
    make_variant(units=9)
    Client().head("/")
    assert b'name="next" value="/"' in Client().get("/").content


@pytest.mark.usefixtures("kept")
def test_a_page_that_did_not_change_is_not_sent_again() -> None:
    product = make_variant(units=9).product
    first = Client().get(product.get_absolute_url())
    headers = {"If-None-Match": first["ETag"]}
    again = Client().get(product.get_absolute_url(), headers=headers)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    other = Client().get(product.get_absolute_url(), headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.usefixtures("kept")
def test_the_banner_is_not_kept_with_the_page_and_shortens_its_life() -> None:
    assert Client().get("/")["Cache-Control"] == "public, max-age=30, stale-while-revalidate=30"
    sale = make_sale()
    cache.delete("sale-banner")
    answer = Client().get("/")
    assert f"{sale.name} is open now".encode() in answer.content
    assert answer["Cache-Control"] == "public, max-age=5, stale-while-revalidate=5"


@pytest.mark.usefixtures("kept")
def test_a_message_is_told_once_and_its_page_is_nobody_elses() -> None:
    make_variant(units=9)
    Client().get("/")
    client = with_message("Only for Ada")
    answer = client.get("/")
    assert b"Only for Ada" in answer.content
    assert answer["Cache-Control"] == "private, no-store"
    assert b"Only for Ada" not in Client().get("/").content


def with_message(text: str) -> Client:
    request, response = RequestFactory().get("/"), HttpResponse()
    storage = CookieStorage(request)
    storage.add(constants.SUCCESS, text)
    storage.update(response)
    client = Client()
    client.cookies["messages"] = response.cookies["messages"].value
    return client


@pytest.mark.usefixtures("kept")
def test_a_page_that_is_not_there_is_made_for_who_asks() -> None:
    ada = buyer(make_variant(units=9))
    answer = ada.get("/p/nothing/")
    assert answer.status_code == 404
    assert b"cart-count" in answer.content
    assert pages.BANNER not in answer.content


def test_the_cart_takes_a_form_without_a_token_from_our_own_pages_alone() -> None:
    variant = make_variant(units=9)
    form = {"sku": variant.sku, "quantity": 1}
    for headers, status in (
        ({"Origin": "http://testserver"}, 302),
        ({"Origin": "https://testserver"}, 403),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Referer": "http://testserver/"}, 403),
        ({}, 403),
    ):
        client = Client(enforce_csrf_checks=True)
        answer = client.post("/cart/add/", form, headers=headers)
        assert answer.status_code == status, headers


def test_the_cart_still_takes_a_token_without_an_origin() -> None:
    variant = make_variant(units=9)
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    form = {"sku": variant.sku, "quantity": 1, "csrfmiddlewaretoken": "x" * 32}
    assert client.post("/cart/add/", form).status_code == 302
    assert client.post("/cart/add/", form | {"csrfmiddlewaretoken": "y" * 32}).status_code == 403
