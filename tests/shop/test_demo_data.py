import time

from django.contrib.auth import authenticate
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory import audit, stock
from inventory.models import StockMovement
from shop import catalogue, demo_data
from shop.demo.goods import CATEGORIES
from shop.demo.people import ORDERS, REVIEWERS
from shop.models import (
    Category,
    DiscountCode,
    Order,
    OutgoingMail,
    Product,
    ProductImage,
    Review,
    ShippingMethod,
    ShippingRate,
    TaxRate,
    User,
    Variant,
)


def count_rows() -> list[int]:
    models = (
        Category,
        Product,
        Variant,
        ProductImage,
        Review,
        User,
        StockMovement,
        ShippingMethod,
        ShippingRate,
        TaxRate,
        DiscountCode,
    )
    return [model.objects.count() for model in models]


def test_seeding_twice_changes_nothing_and_keeps_what_was_changed_by_hand(db: None) -> None:
    demo_data.seed()
    counts = count_rows()
    Variant.objects.filter(sku="TIDE-MUG-OAT").update(price=1)
    started = time.monotonic()
    demo_data.seed()
    assert time.monotonic() - started < 2  # seconds; 0.03 on an idle machine
    assert count_rows() == counts
    assert Variant.objects.get(sku="TIDE-MUG-OAT").price == 1


def test_the_demo_delivers_taxes_and_has_codes_and_a_merchants_own_stay(db: None) -> None:
    own = ShippingMethod.objects.create(name="Bicycle")
    demo_data.seed()
    assert list(ShippingMethod.objects.all()) == [own]
    own.delete()
    demo_data.seed()
    for method in ShippingMethod.objects.all():
        method.full_clean()
        assert method.rates.exists()
    for code in DiscountCode.objects.all():
        code.full_clean()
    assert TaxRate.objects.filter(country="DE").count() == 2


def test_the_catalogue_has_something_of_everything(db: None) -> None:
    demo_data.seed()
    products = catalogue.count_available(catalogue.published())
    assert (Category.objects.count(), len(products)) == (8, len(demo_data.THINGS))
    assert products[0].slug == "first-light-lamp"
    tiers = {variant.stock_tier for product in products for variant in product.variants.all()}
    assert tiers == {"in_stock", "low", "sold_out"}


def test_every_picture_belongs_to_a_product_and_shows_its_variant_first(
    db: None, client: Client
) -> None:
    demo_data.seed()
    files = list(demo_data.PICTURES.glob("*.webp"))
    assert ProductImage.objects.count() == len(files) > 0
    image = ProductImage.objects.get(variant__sku="TIDE-MUG-OAT")
    assert image.alt == "A straight stoneware mug with a broad handle, Oat"
    response = client.get("/p/tide-mug/", {"variant": "TIDE-MUG-OAT"})
    assert response.context["images"][0] == image


def test_a_product_without_a_picture_has_pages_all_the_same(db: None, client: Client) -> None:
    demo_data.seed()
    ProductImage.objects.all().delete()
    for url in ("/", "/c/table/", "/p/tide-mug/", "/p/tide-mug/related/"):
        assert client.get(url).status_code == 200, url


def test_accounts_with_a_known_password_exist_in_the_demo_alone(
    db: None, settings: Settings
) -> None:
    demo_data.seed()
    assert not User.objects.exclude(email__in=REVIEWERS).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
    settings.DEMO = True
    demo_data.seed()
    demo_data.seed()
    found = {
        user.email: (user.is_staff, user.is_superuser, [group.name for group in user.groups.all()])
        for user in User.objects.exclude(email__in=REVIEWERS)
    }
    assert found == {
        "shopper@example.com": (False, False, []),
        "merchant@example.com": (True, False, ["Merchants"]),
        "staff@example.com": (True, False, ["Staff"]),
    }
    assert authenticate(None, email="staff@example.com", password="demo") is not None


def test_past_orders_exist_in_the_demo_alone_and_keep_the_books(
    db: None, settings: Settings
) -> None:
    demo_data.seed()
    assert not Order.objects.exists()
    settings.DEMO = True
    demo_data.seed()
    placed = Order.objects.order_by("placed_at")
    assert len(placed) == len(ORDERS)
    assert {order.state for order in placed} == {"fulfilled", "cancelled", "paid"}
    assert (timezone.now() - placed[0].placed_at).days >= 55
    assert not OutgoingMail.objects.filter(sent_at=None).exists()
    assert [found for found in audit.run(scope={}) if found.breaches] == []
    demo_data.seed()
    assert Order.objects.count() == len(ORDERS)


def test_what_was_sold_in_the_past_does_not_empty_the_shelf(db: None, settings: Settings) -> None:
    settings.DEMO = True
    demo_data.seed()
    units = {kind.sku: kind.units for thing in demo_data.THINGS for kind in thing.kinds}
    assert stock.available(skus=list(units)) == units


def test_whoever_wrote_a_review_had_the_thing_by_then(db: None, settings: Settings) -> None:
    settings.DEMO = True
    demo_data.seed()
    ratings = set(Review.objects.values_list("rating", flat=True))
    assert ratings == {1, 2, 3, 4, 5}
    shipped = {
        (order.user_id, item.variant.product_id): order.fulfilled_at
        for order in Order.objects.filter(state="fulfilled").prefetch_related("line_items__variant")
        for item in order.line_items.all()
    }
    for review in Review.objects.all():
        arrived = shipped[review.user_id, review.product_id]
        assert arrived is not None and arrived < review.created_at, review.title  # noqa: PT018


def test_goods_have_a_weight_a_text_and_details(db: None) -> None:
    slugs = [thing.slug for thing in demo_data.THINGS]
    assert len(slugs) == len(set(slugs)) >= 30
    for thing in demo_data.THINGS:
        assert thing.category in CATEGORIES
        assert all((thing.summary, thing.description, thing.details))
        assert all(kind.grams >= 100 for kind in thing.kinds)
