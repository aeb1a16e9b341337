"""The wishlist: with an account, as a guest, and from one to the other."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from inventory import stock
from shop import wishlists
from shop.models import CartLine, Product, Variant, Wish
from tests.factories import make_user, make_variant
from tests.shop.ordering import signed_in

pytestmark = pytest.mark.django_db

PASSWORD = "kelp and salt 9"
FETCH = {"X-Requested-With": "fetch"}


def heart(product: Product) -> str:
    return f"/wishlist/products/{product.slug}/"


def listed(client: Client) -> list[Product]:
    found: list[Product] = client.get("/wishlist/").context["products"]
    return found


@pytest.fixture(params=["guest", "account"])
def shopper(request: pytest.FixtureRequest) -> Client:
    return Client() if request.param == "guest" else signed_in(make_user())


def test_a_heart_that_is_pressed_twice_is_one_wish_and_again_it_is_none(shopper: Client) -> None:
    product = make_variant(units=1).product
    for _ in range(2):
        answer = shopper.post(heart(product), {"action": "add"}, headers=FETCH)
        assert answer.json() == {"is_wished": True, "count": 1}
    assert listed(shopper) == [product]
    assert shopper.get("/wishlist/hearts/").json()["products"] == [product.slug]
    assert ">1</span>" in shopper.get("/wishlist/count/").content.decode()
    answer = shopper.post(heart(product), {"action": "remove"}, headers=FETCH)
    assert answer.json() == {"is_wished": False, "count": 0}
    assert listed(shopper) == []
    assert shopper.get("/wishlist/count/").content.decode().strip() == ""


def test_without_javascript_a_page_asks_and_leads_back(shopper: Client) -> None:
    product = make_variant(units=1).product
    assert "on your wishlist?" in shopper.get(heart(product)).content.decode()
    assert listed(shopper) == []  # looking changes nothing
    back = product.get_absolute_url()
    for action in ("add", "remove"):
        answer = shopper.post(heart(product), {"action": action, "next": back})
        assert (answer.status_code, answer.headers["Location"]) == (302, back)
    answer = shopper.post(heart(product), {"next": "https://example.com/"})
    assert answer.headers["Location"] == "/wishlist/"


def test_the_newest_wish_comes_first_and_withdrawn_products_are_not_shown(shopper: Client) -> None:
    first, second, gone = (make_variant(units=1).product for _ in range(3))
    for product in (first, second, gone):
        shopper.post(heart(product))
    Product.objects.filter(pk=gone.pk).update(is_published=False)
    assert listed(shopper) == [second, first]
    assert shopper.post(heart(gone)).status_code == 404


def test_a_wish_moves_to_the_cart_and_off_the_list(shopper: Client) -> None:
    variant = make_variant(units=1)
    shopper.post(heart(variant.product))
    shopper.post(f"{heart(variant.product)}move/", {"sku": variant.sku})
    assert (CartLine.objects.get().variant, listed(shopper)) == (variant, [])


def test_what_cannot_be_had_stays_on_the_list(shopper: Client) -> None:
    variant, other = make_variant(units=1), make_variant(units=1)
    shopper.post(heart(variant.product))
    stock.adjust(sku=variant.sku, change=-1, reason="broken")
    for sku in (variant.sku, other.sku, ""):
        shopper.post(f"{heart(variant.product)}move/", {"sku": sku})
    assert not CartLine.objects.exists()
    assert listed(shopper) == [variant.product]


def test_a_full_list_says_so(shopper: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishlists, "MAX_WISHES", 1)
    kept, refused = make_variant(units=1).product, make_variant(units=1).product
    shopper.post(heart(kept))
    page = shopper.post(heart(refused), follow=True)
    assert "Your wishlist is full." in page.content.decode()
    assert listed(shopper) == [kept]


def test_a_guest_s_wishes_join_the_account_s_at_sign_in(client: Client) -> None:
    user = make_user(password=PASSWORD)
    both, own, guest = (make_variant(units=1).product for _ in range(3))
    for product in (both, own):
        Wish.objects.create(user=user, product=product)
    for product in (both, guest):
        client.post(heart(product))
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert set(listed(client)) == {both, own, guest}
    assert Wish.objects.filter(user=user).count() == 3
    assert wishlists.SESSION_KEY not in client.session


def test_wishes_do_not_join_beyond_the_room_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishlists, "MAX_WISHES", 2)
    user = make_user()
    own, older, newer = (make_variant(units=1).product for _ in range(3))
    Wish.objects.create(user=user, product=own)
    wishlists.merge(guest_product_ids=[older.pk, newer.pk, 0], user=user)
    assert set(user.wishes.values_list("product", flat=True)) == {own.pk, newer.pk}


def test_a_wish_changes_by_post_alone_and_with_its_token() -> None:
    product = make_variant(units=1).product
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(heart(product), headers=FETCH).status_code == 403
    token = strict.get("/wishlist/hearts/").json()["token"]
    kept = strict.post(heart(product), headers=FETCH | {"X-CSRFToken": token})
    assert kept.status_code == 200


def test_the_list_takes_as_many_queries_for_twelve_as_for_two(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    user = make_user()
    client = signed_in(user)
    for wishes in (2, 12):
        while user.wishes.count() < wishes:
            variant = make_variant(units=1)
            Variant.objects.create(product=variant.product, sku=f"{variant.sku}-B", price=9)
            Wish.objects.create(user=user, product=variant.product)
        with django_assert_max_num_queries(8):
            assert len(listed(client)) == wishes
