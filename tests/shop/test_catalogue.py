from django.test import Client
from pytest_django import DjangoAssertNumQueries

from inventory import stock
from shop import catalogue
from shop.models import Category, Product, Variant
from tests.factories import make_user, make_variant


def test_products_without_an_active_variant_or_not_published_are_not_seen(db: None) -> None:
    seen, hidden, bare = make_variant(), make_variant(), make_variant()
    Product.objects.filter(pk=hidden.product_id).update(is_published=False)
    Variant.objects.filter(pk=bare.pk).update(is_active=False)
    assert [product.pk for product in catalogue.published()] == [seen.product_id]
    assert catalogue.find_product(slug=hidden.product.slug) is None


def test_availability_of_a_list_takes_one_query(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    variants = [make_variant(units=units) for units in (0, 5, 6)]
    with django_assert_num_queries(4):  # products, variants, pictures, availability
        listed = catalogue.count_available(catalogue.published())
    by_pk = {variant.pk: variant for product in listed for variant in product.variants.all()}
    tiers = [(by_pk[variant.pk].available, by_pk[variant.pk].stock_tier) for variant in variants]
    assert tiers == [(0, "sold_out"), (5, "low"), (6, "in_stock")]
    assert [product.is_sold_out for product in listed] == [False, False, True]


def test_units_of_another_pool_are_not_for_sale_here(db: None) -> None:
    variant = make_variant(units=2)
    stock.transfer(sku=variant.sku, quantity=2, source="main", target="sale:1", reason="test")
    found = catalogue.find_product(slug=variant.product.slug)
    assert found is not None
    assert found.is_sold_out


def test_related_products_share_the_category_and_leave_the_product_out(db: None) -> None:
    product, other = make_variant().product, make_variant().product
    elsewhere = make_variant().product
    Product.objects.filter(pk=elsewhere.pk).update(
        category=Category.objects.create(name="Chairs", slug="chairs")
    )
    assert catalogue.related(product=product) == [other]


def test_list_pages_take_the_same_few_queries_whatever_they_show(
    db: None, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    variants = [make_variant(units=1) for _ in range(20)]
    slug = variants[0].product.slug
    client.force_login(make_user())
    client.post("/cart/add/", {"sku": variants[0].sku, "quantity": 1}, follow=True)
    for url in (
        "/",
        "/search/",
        "/search/?q=lamp",
        "/search/?q=lmap",
        "/search/?q=lamp&kind=Oak&stock=1&reduced=1&min=1&max=200&sort=price",
        "/search/suggestions/?q=la",
        f"/recent/?p={slug}&p=nothing",
        "/c/lamps/?kind=Oak&sort=-price",
        "/c/lamps/",
        f"/p/{slug}/",
        f"/p/{slug}/reviews/",
        f"/p/{slug}/related/",
    ):
        with django_assert_max_num_queries(8):
            assert client.get(url).status_code == 200, url


def test_a_guest_without_a_cart_costs_no_session_query(
    db: None, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    product = make_variant(units=1).product
    client.get(product.get_absolute_url())
    with django_assert_num_queries(
        5
    ):  # product, variants, pictures, availability, delivery methods
        client.get(product.get_absolute_url())


def test_the_product_page_shows_the_variant_asked_for_or_one_that_can_be_bought(
    db: None, client: Client
) -> None:
    gone = make_variant(units=0)
    free = Variant.objects.create(product=gone.product, sku="FREE", price=20, position=1)
    stock.receive(sku="FREE", quantity=3)
    url = gone.product.get_absolute_url()
    assert client.get(url).context["variant"] == free
    assert client.get(url, {"variant": gone.sku}).context["variant"] == gone
    assert client.get(url, {"variant": "nonsense"}).context["variant"] == free


def test_panels_are_bare_for_our_scripts_and_pages_for_who_opens_them(
    db: None, client: Client
) -> None:
    gone = make_variant()
    for url, said in {
        f"{gone.product.get_absolute_url()}reviews/": b"What people say",
        f"/alerts/for/{gone.sku}/": b'name="email"',
    }.items():
        panel = client.get(url, headers={"X-Requested-With": "fetch"})
        assert said in panel.content
        assert b"<html" not in panel.content
        for whole in (client.get(url), client.get(url, {"page": 1})):
            assert said in whole.content
            assert b"<html" in whole.content


def test_lists_are_paged_and_say_how_many_there_are(db: None, client: Client) -> None:
    variants = [make_variant() for _ in range(25)]
    first, second = (
        client.get("/search/", {"page": number}).context["listing"] for number in (1, 2)
    )
    assert (len(first.products), len(second.products)) == (24, 1)
    assert (first.total, second.total) == (25, 25)
    assert second.products == [variants[0].product]
    assert (first.previous, first.following, second.previous) == (None, "page=2", "")


def test_unknown_addresses_are_a_404(db: None, client: Client) -> None:
    for url in ("/c/nothing/", "/p/nothing/", "/p/nothing/reviews/", "/p/nothing/related/"):
        assert client.get(url).status_code == 404, url


def test_a_page_number_out_of_range_shows_the_nearest_page(db: None, client: Client) -> None:
    make_variant()
    for number in ("0", "-1", "99", "x"):
        response = client.get("/search/", {"page": number})
        assert response.status_code == 200
        assert response.context["listing"].number == 1
