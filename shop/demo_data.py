"""The demo's catalogue: an invented maker of things for the house and the desk.

Safe to run twice, also at once with another run: rows that are there stay as they are, so what a merchant
changed by hand is kept. Accounts with a known password, and past orders, are made in the demo alone. What is
made is written down in `shop.demo`.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from inventory import stock
from inventory.models import Stock
from shop import accounts, search, taxes
from shop.demo import past_orders
from shop.demo.goods import CATEGORIES, FIRST, Thing
from shop.demo.household import HOUSEHOLD
from shop.demo.people import (
    DEMO_ACCOUNTS,
    DEMO_ADDRESS,
    ORDERS,
    REVIEWERS,
    REVIEWS,
)
from shop.demo.selling import CODES, METHODS
from shop.models import (
    Address,
    Category,
    DiscountCode,
    PriceRecord,
    Product,
    ProductImage,
    Review,
    ShippingMethod,
    ShippingRate,
    User,
    Variant,
)

THINGS = (*FIRST, *HOUSEHOLD)
PICTURES = Path(__file__).parent / "demo_pictures"
PASSWORD = "demo"  # noqa: S105  # the demo's, printed when it starts

#: An advisory lock's number: two seeds at once go one after the other.
SEED_LOCK = 0x5EED


def seed() -> None:
    """Make what is missing of the demo's catalogue, stock, reviews, groups and (in the demo) accounts
    and past orders."""
    accounts.ensure_groups()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEED_LOCK])
        products = _seed_catalogue()
        _seed_stock()
        _seed_pictures(products)
        _seed_price_history(products)
        _seed_reviews(products)
        _seed_selling()
        search.learn_words()
        if settings.DEMO:
            _seed_accounts()
            past_orders.seed()


def _seed_catalogue() -> dict[str, Product]:
    Category.objects.bulk_create(
        (
            Category(slug=slug, name=name, description=text, position=position)
            for position, (slug, (name, text)) in enumerate(CATEGORIES.items())
        ),
        ignore_conflicts=True,
    )
    categories = Category.objects.in_bulk(list(CATEGORIES), field_name="slug")
    Product.objects.bulk_create(
        (
            Product(
                slug=thing.slug,
                name=thing.name,
                category=categories[thing.category],
                summary=thing.summary,
                description=thing.description,
                details=thing.details,
            )
            for thing in reversed(THINGS)  # the last one made is the newest, and shown first
        ),
        ignore_conflicts=True,
    )
    products = Product.objects.in_bulk([thing.slug for thing in THINGS], field_name="slug")
    Variant.objects.bulk_create(
        (
            Variant(
                product=products[thing.slug],
                sku=kind.sku,
                name=kind.name,
                price=Decimal(kind.price),
                compare_at_price=Decimal(kind.was) if kind.was else None,
                weight_grams=kind.grams,
                position=position,
            )
            for thing in THINGS
            for position, kind in enumerate(thing.kinds)
        ),
        ignore_conflicts=True,
    )
    return products


def _seed_price_history(products: dict[str, Product]) -> None:
    """Fresh goods have cost the same for weeks; reduced ones were dearer until ten days ago."""
    now = timezone.now()
    known = PriceRecord.objects.filter(valid_from__lt=now - timedelta(days=1)).values("variant")
    fresh = Variant.objects.filter(product__in=products.values()).exclude(pk__in=known)
    records = []
    for variant in fresh:
        first = variant.compare_at_price or variant.price
        changes = [(60, first), (10, variant.price)] if first != variant.price else [(60, first)]
        records += [
            PriceRecord(variant=variant, price=price, valid_from=now - timedelta(days=days))
            for days, price in changes
        ]
    PriceRecord.objects.filter(variant__in=[variant.pk for variant in fresh]).delete()
    PriceRecord.objects.bulk_create(records)


def _seed_stock() -> None:
    units = {kind.sku: kind.units for thing in THINGS for kind in thing.kinds}
    known = Stock.objects.filter(sku__in=units, pool=Stock.MAIN).values_list("sku", flat=True)
    for sku in units.keys() - set(known):
        stock.receive(sku=sku, quantity=units[sku], reason="demo")


def _seed_pictures(products: dict[str, Product]) -> None:
    """Pictures are named by their content, so one that was rendered anew gets a new address."""
    known = set(
        ProductImage.objects.filter(product__in=products.values()).values_list("file", flat=True)
    )
    variants = {
        (variant.product_id, slugify(variant.name)): variant
        for variant in Variant.objects.filter(product__in=products.values())
    }
    for thing in THINGS:
        product = products[thing.slug]
        for position, path in enumerate(_pictures_of(thing)):
            body = path.read_bytes()
            name = f"products/{path.stem}-{sha256(body).hexdigest()[:8]}.webp"
            if name in known:
                continue
            if not default_storage.exists(name):
                default_storage.save(name, ContentFile(body))
            variant = variants.get((product.pk, path.stem[len(thing.slug) + 1 :]))
            shown = f"{thing.alt}, {variant.name}" if variant and variant.name else thing.alt
            product.images.filter(file__startswith=f"products/{path.stem}-").delete()
            ProductImage.objects.create(
                product=product, variant=variant, file=name, alt=shown, position=position
            )


def _pictures_of(thing: Thing) -> Iterable[Path]:
    """The files of a product, in the order of its variants, then the rest by name."""
    order = [slugify(kind.name) for kind in thing.kinds]
    files = [
        path
        for path in PICTURES.glob(f"{thing.slug}*.webp")
        if path.stem == thing.slug or path.stem.startswith(f"{thing.slug}-")
    ]

    def rank(path: Path) -> tuple[int, str]:
        kind = path.stem[len(thing.slug) + 1 :]
        return (order.index(kind) if kind in order else len(order), path.stem)

    return sorted(files, key=rank)


def _seed_selling() -> None:
    """Delivery methods where there are none, tax rates of countries without, and the codes that are missing."""
    taxes.load_table()
    DiscountCode.objects.bulk_create(
        (DiscountCode(code=code, **fields) for code, fields in CODES.items()),
        ignore_conflicts=True,
    )
    if ShippingMethod.objects.exists():
        return
    for position, (fields, rates) in enumerate(METHODS):
        method = ShippingMethod.objects.create(position=position, **fields)
        ShippingRate.objects.bulk_create(ShippingRate(method=method, **rate) for rate in rates)


def _seed_reviews(products: dict[str, Product]) -> None:
    User.objects.bulk_create(
        (
            User(email=email, name=name, password=make_password(None))
            for email, name in REVIEWERS.items()
        ),
        ignore_conflicts=True,
    )
    people = User.objects.in_bulk(list(REVIEWERS), field_name="email")
    writers = [people[email] for email in REVIEWERS]
    known = set(Review.objects.filter(user__in=writers).values_list("product__slug", "user__email"))
    now = timezone.now()
    made = Review.objects.bulk_create(
        Review(
            product=products[slug],
            user=writers[writer],
            rating=rating,
            title=title,
            body=text,
            is_approved=True,
        )
        for slug, writer, rating, title, text in REVIEWS
        if (slug, writers[writer].email) not in known
    )
    for position, review in enumerate(made):
        days = _days_since_bought(review.product.slug, writers.index(review.user))
        review.created_at = now - timedelta(days=days / 2, minutes=position)
    Review.objects.bulk_update(made, ["created_at"])


def _days_since_bought(slug: str, person: int) -> int:
    """How long ago a reviewer bought that product: nobody else may have written about it."""
    skus = {kind.sku for thing in THINGS if thing.slug == slug for kind in thing.kinds}
    return next(
        days
        for who, days, end, units in ORDERS
        if (who, end) == (person, "fulfilled") and skus & units.keys()
    )


def _seed_accounts() -> None:
    known = set(
        User.objects.filter(email__in=[email for email, _, _ in DEMO_ACCOUNTS]).values_list(
            "email", flat=True
        )
    )
    if len(known) == len(DEMO_ACCOUNTS):
        return
    password = make_password(PASSWORD)
    for email, name, group in DEMO_ACCOUNTS:
        if email in known:
            continue
        user = User.objects.create(
            email=email, name=name, password=password, is_staff=group is not None
        )
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if group:
            user.groups.add(Group.objects.get(name=group))
        else:
            # A hold in the demo lasts ninety seconds: too short to type an address at ease.
            Address.objects.create(user=user, recipient=name, is_default=True, **DEMO_ADDRESS)
