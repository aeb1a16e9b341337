import time

from django.contrib.auth import authenticate
from django.test import Client
from pytest_django import Settings

from inventory.models import StockMovement
from shop import catalogue, demo_data
from shop.models import (
    Category,
    DiscountCode,
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
    assert (Category.objects.count(), len(products)) == (6, len(demo_data.THINGS))
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
    assert not User.objects.exclude(email__in=demo_data.REVIEWERS).exists()
    assert not any(user.has_usable_password() for user in User.objects.all())
    settings.DEMO = True
    demo_data.seed()
    demo_data.seed()
    found = {
        user.email: (user.is_staff, user.is_superuser, [group.name for group in user.groups.all()])
        for user in User.objects.exclude(email__in=demo_data.REVIEWERS)
    }
    assert found == {
        "shopper@example.com": (False, False, []),
        "merchant@example.com": (True, False, ["Merchants"]),
        "staff@example.com": (True, False, ["Staff"]),
    }
    assert authenticate(None, email="staff@example.com", password="demo") is not None
