"""The demo's catalogue: an invented maker of things for the house and the desk.

Safe to run twice, also at once with another run: rows that are there stay as they are, so what a merchant
changed by hand is kept. Accounts with a known password are made in the demo alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

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
from shop import accounts, taxes
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

PICTURES = Path(__file__).parent / "demo_pictures"
PASSWORD = "demo"  # noqa: S105  # the demo's, printed when it starts

#: An advisory lock's number: two seeds at once go one after the other.
SEED_LOCK = 0x5EED


@dataclass(frozen=True)
class Kind:
    """A variant: SKU, name, price, units that arrive, and the price it had."""

    sku: str
    name: str
    price: str
    units: int
    was: str | None = None


@dataclass(frozen=True)
class Thing:
    """A product. Its pictures are the files whose names begin with its slug."""

    slug: str
    name: str
    category: str
    alt: str
    summary: str
    description: str
    details: str
    kinds: tuple[Kind, ...]


CATEGORIES = {
    "light": ("Light", "Lamps and candle holders for the hours when the day is over."),
    "table": ("At the table", "Stoneware and glass that is used every day and washed every night."),
    "flowers": ("Flowers and green", "For one stem from the garden or a windowsill full of herbs."),
    "desk": ("The desk", "A place for every pen, letter and half-read book."),
    "walls": ("Walls", "Quiet things to look up at."),
    "seating": ("Seating", "Stools that are a seat today and a bedside table tomorrow."),
}

STONEWARE = "Stoneware, glazed inside and out. Dishwasher and microwave safe."

THINGS = (
    Thing(
        slug="first-light-lamp",
        name="First Light lamp",
        category="light",
        alt="A table lamp with a spun shade on a slim brass stem",
        summary="A numbered table lamp with a spun shade and a dimmer that goes down to candlelight.",
        description=(
            "The shade is spun from a single disc and painted by hand, the stem is solid brass. The dimmer "
            "in the foot goes from reading light to the glow of the first quarter of an hour of a summer "
            "morning, which is where the lamp has its name from.\n\n"
            "We make a hundred of each colour and number them on the foot. There is no second hundred."
        ),
        details="Brass, powder-coated steel. 42 cm high, shade 24 cm. Bulb E27 included. Two-metre textile cord.",
        kinds=(Kind("FIRST-LIGHT-EMBER", "Ember", "149.00", 400),),
    ),
    Thing(
        slug="tide-mug",
        name="Tide mug",
        category="table",
        alt="A straight stoneware mug with a broad handle",
        summary="A straight-sided mug with a handle for three fingers and a glaze that breaks at the rim.",
        description=(
            "Turned, not cast, so no two are quite alike. It holds a large coffee and keeps it warm for "
            "as long as one article in the newspaper takes."
        ),
        details=f"{STONEWARE} 350 ml, 9.5 cm high.",
        kinds=(
            Kind("TIDE-MUG-INDIGO", "Indigo", "24.00", 120),
            Kind("TIDE-MUG-OAT", "Oat", "24.00", 80),
            Kind("TIDE-MUG-EMBER", "Ember", "24.00", 4),
        ),
    ),
    Thing(
        slug="hearth-teapot",
        name="Hearth teapot",
        category="table",
        alt="A round teapot with a short spout and a looped handle",
        summary="A round-bellied teapot that pours without a drop on the cloth.",
        description=(
            "Forty spouts were made until one did not drip. The lid stays on when the pot is emptied to "
            "the last cup, and the sieve is part of the body."
        ),
        details=f"{STONEWARE} 900 ml, about four cups.",
        kinds=(
            Kind("HEARTH-POT-PINE", "Pine", "68.00", 35),
            Kind("HEARTH-POT-OAT", "Oat", "68.00", 22),
        ),
    ),
    Thing(
        slug="long-neck-vase",
        name="Long Neck vase",
        category="flowers",
        alt="A tall vase with a narrow neck",
        summary="A tall vase for a single branch, heavy enough to hold it.",
        description="Dry grasses, one tulip, the twig that the storm brought down: it makes something of each.",
        details="Stoneware, matt outside, glazed inside. 31 cm high.",
        kinds=(
            Kind("LONG-NECK-CHALK", "Chalk", "58.00", 30),
            Kind("LONG-NECK-SAGE", "Sage", "58.00", 26),
        ),
    ),
    Thing(
        slug="still-carafe",
        name="Still carafe",
        category="table",
        alt="A clear carafe with a ball of oak as its stopper",
        summary="A mouth-blown carafe with an oak ball that closes it.",
        description="For water by the bed or wine at the table. The ball sits loosely: the wine may breathe.",
        details="Borosilicate glass, oiled oak. 1 litre. Wash by hand; wipe the oak.",
        kinds=(Kind("STILL-CARAFE", "", "46.00", 60, was="54.00"),),
    ),
    Thing(
        slug="harbour-bowls",
        name="Harbour bowls",
        category="table",
        alt="Three bowls that nest in one another",
        summary="A nest of three bowls: for olives, for soup, for salad.",
        description="They take up the room of one. The smallest is just right for a poached egg.",
        details=f"{STONEWARE} 12, 16 and 22 cm across.",
        kinds=(Kind("HARBOUR-BOWLS", "", "72.00", 40),),
    ),
    Thing(
        slug="milking-stool",
        name="Milking stool",
        category="seating",
        alt="A round three-legged stool",
        summary="Three legs never wobble, whatever the floor is like.",
        description=(
            "The legs are wedged through the seat as it has been done for a few hundred years. A seat at "
            "the stove, a step to the top shelf, a table beside the bath."
        ),
        details="Solid wood, hard-wax oil. 44 cm high, seat 32 cm. Carries 130 kg.",
        kinds=(
            Kind("MILKING-STOOL-OAK", "Oak", "135.00", 18),
            Kind("MILKING-STOOL-WALNUT", "Walnut", "165.00", 9),
        ),
    ),
    Thing(
        slug="noon-wall-clock",
        name="Noon wall clock",
        category="walls",
        alt="A round wall clock without numerals in an oak rim",
        summary="Twelve marks, two hands, no ticking.",
        description="A sweep movement that is silent in a bedroom, in a rim turned from one piece of oak.",
        details="Oak, lacquered steel. 30 cm across. One AA battery, about two years.",
        kinds=(Kind("NOON-CLOCK", "", "98.00", 25),),
    ),
    Thing(
        slug="evening-candle-holders",
        name="Evening candle holders",
        category="light",
        alt="Brass candle holders of three heights with lit candles",
        summary="Three heights of solid brass, for dinners that go on.",
        description="They get darker with the years. A soft cloth brings the shine back, should you want it.",
        details="Solid brass. 8, 12 and 18 cm high, for candles of 22 mm.",
        kinds=(Kind("EVENING-HOLDERS", "", "64.00", 33),),
    ),
    Thing(
        slug="quarry-pen-pot",
        name="Quarry pen pot",
        category="desk",
        alt="A heavy clay pot with pens and a ruler in it",
        summary="Holds two dozen pencils and does not tip over.",
        description="Unglazed outside, so that it is never slippery, with a cork foot that is kind to the desk.",
        details="Coarse stoneware, cork. 11 cm high, 8 cm across.",
        kinds=(Kind("QUARRY-POT-CLAY", "Clay", "28.00", 70),),
    ),
    Thing(
        slug="ledger-desk-tray",
        name="Ledger desk tray",
        category="desk",
        alt="A low wooden tray with compartments for pens and letters",
        summary="A low tray for what is on the desk every day.",
        description="Milled from one board, with a long bay for pens and a wide one for letters in A5.",
        details="Solid wood, oiled. 34 × 23 × 3 cm.",
        kinds=(
            Kind("LEDGER-TRAY-WALNUT", "Walnut", "79.00", 20),
            Kind("LEDGER-TRAY-OAK", "Oak", "69.00", 0),
        ),
    ),
    Thing(
        slug="two-moons-bookends",
        name="Two Moons bookends",
        category="desk",
        alt="A pair of half-round bookends with books between them",
        summary="Two half moons that keep a row of books upright.",
        description="Cast from recycled stone dust, each as heavy as a dictionary, with felt underneath.",
        details="Stone composite, wool felt. 14 cm high, 2.1 kg the pair.",
        kinds=(Kind("TWO-MOONS", "", "52.00", 45, was="59.00"),),
    ),
    Thing(
        slug="sill-planter",
        name="Sill planter",
        category="flowers",
        alt="A low planter with a green plant on its saucer",
        summary="A planter with a saucer, as deep as a windowsill allows.",
        description="Basil on the south side, ferns on the north. The saucer is glazed and keeps the sill dry.",
        details="Terracotta, glazed saucer. 15 cm across. With a drainage hole.",
        kinds=(
            Kind("SILL-PLANTER-CLAY", "Clay", "34.00", 50),
            Kind("SILL-PLANTER-CHALK", "Chalk", "36.00", 5),
        ),
    ),
)

#: Invented people; their accounts cannot sign in.
REVIEWERS = {
    "odile.marsh@reviews.example": "Odile Marsh",
    "tobin.reed@reviews.example": "Tobin Reed",
    "ines.halloway@reviews.example": "Ines Halloway",
    "per.lindqvist@reviews.example": "Per Lindqvist",
}

#: Product, who (by position in REVIEWERS), stars, title, text.
REVIEWS = (
    (
        "first-light-lamp",
        0,
        5,
        "Number 31 lives here now",
        "At its lowest it is like a fire in the next room.",
    ),
    (
        "first-light-lamp",
        1,
        4,
        "Lovely, but the cord",
        "Everything about it is right. I would have liked a darker cord.",
    ),
    ("tide-mug", 1, 5, "The handle!", "Finally a handle for grown-up hands. Bought two more."),
    (
        "tide-mug",
        2,
        5,
        "Every morning",
        "Three months of daily use and it looks as on the first day.",
    ),
    (
        "tide-mug",
        3,
        4,
        "A little heavier than I thought",
        "Which is why the coffee stays warm, I suppose.",
    ),
    ("hearth-teapot", 0, 5, "Does not drip", "I did not believe it. It really does not."),
    (
        "long-neck-vase",
        2,
        4,
        "Needs one good branch",
        "With a supermarket bunch it looks lost; with one branch it is a picture.",
    ),
    ("still-carafe", 3, 5, "By the bed", "The oak ball keeps the dust out and makes a nice sound."),
    ("harbour-bowls", 1, 5, "Used all three on the first day", ""),
    (
        "milking-stool",
        0,
        5,
        "Does not wobble on our floor",
        "And nothing has ever not wobbled on our floor.",
    ),
    ("noon-wall-clock", 2, 5, "Silent", "I had to put my ear to it to be sure that it runs."),
    ("quarry-pen-pot", 3, 4, "Solid", "Could be a centimetre taller for long brushes."),
    ("two-moons-bookends", 0, 5, "Heavy enough for art books", ""),
    ("sill-planter", 2, 3, "Pretty, rather small", "Check the size before you plan a jungle."),
)

#: Delivery: fields of the method, and of each of its rates.
METHODS: tuple[tuple[dict[str, Any], tuple[dict[str, Any], ...]], ...] = (
    (
        {"name": "Standard", "min_days": 2, "max_days": 4},
        (
            {"price": Decimal("4.90"), "max_weight_grams": 20_000},
            {
                "price": Decimal("0.00"),
                "max_weight_grams": 20_000,
                "min_subtotal": Decimal("80.00"),
            },
            {"price": Decimal("24.90")},
        ),
    ),
    (
        {
            "name": "Express",
            "min_days": 1,
            "max_days": 1,
            "countries": ["DE", "AT", "NL", "BE", "LU", "FR", "DK", "PL", "CZ"],
        },
        (
            {"price": Decimal("9.90"), "max_weight_grams": 5_000},
            {"price": Decimal("14.90"), "max_weight_grams": 20_000},
        ),
    ),
)

#: Discount codes of the demo.
CODES: dict[str, dict[str, Any]] = {
    "HELLO10": {"kind": "percent", "value": Decimal("10.00"), "max_uses_per_customer": 1},
    "TEN-OFF": {
        "kind": "amount",
        "value": Decimal("10.00"),
        "min_subtotal": Decimal("60.00"),
    },
    "SHIPFREE": {"kind": "shipping", "includes_sale_items": True},
}

#: Email, name, group, and whether it may enter the back office.
DEMO_ACCOUNTS = (
    ("shopper@example.com", "Robin Vale", None),
    ("merchant@example.com", "Maren Holt", "Merchants"),
    ("staff@example.com", "Sami Brook", "Staff"),
)

DEMO_ADDRESS = {
    "street": "1 Sample Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
}


def seed() -> None:
    """Make what is missing of the demo's catalogue, stock, reviews, groups and (in the demo) accounts."""
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
        if settings.DEMO:
            _seed_accounts()


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
    Review.objects.bulk_create(
        (
            Review(
                product=products[slug],
                user=writers[writer],
                rating=rating,
                title=title,
                body=body,
                is_approved=True,
            )
            for slug, writer, rating, title, body in REVIEWS
        ),
        ignore_conflicts=True,
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
