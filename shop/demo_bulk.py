"""Many made-up products and orders by a few statements of SQL: what the shop looks like when it has grown.

Names are made of the words below and a number, so that searches find many of some and few of others. Running it
again makes what is missing up to the numbers asked for. Orders were never paid and their unit came back, so the audit's
sums of money and stock stay as they are.
"""

from typing import Any

from django.conf import settings
from django.db import connection, transaction

from shop import pages, search
from shop.models import Category

MATERIALS = (
    "Oak",
    "Walnut",
    "Ash",
    "Brass",
    "Linen",
    "Stoneware",
    "Glass",
    "Wool",
    "Copper",
    "Cork",
)
THINGS = (
    *("lamp", "mug", "tray", "vase", "bowl", "stool", "clock", "shelf", "carafe", "planter"),
    *("candlestick", "teapot", "bookend", "mirror", "hook", "basket", "blanket", "cushion"),
)
TEMPERS = (
    "Quiet",
    "Morning",
    "Harbour",
    "Northern",
    "Little",
    "Evening",
    "Meadow",
    "Winter",
    "Plain",
)
KINDS = ("Natural", "Indigo", "Oat", "Ember", "Moss", "Chalk", "Clay")

PRODUCTS = """
INSERT INTO shop_product (category_id, name, slug, summary, description, details, tax_class,
    is_published, created_at, is_reduced, rating, rating_count)
SELECT (%(categories)s::bigint[])[1 + n %% cardinality(%(categories)s::bigint[])],
    concat_ws(' ', (%(tempers)s::text[])[1 + n / 180 %% cardinality(%(tempers)s::text[])],
        lower((%(materials)s::text[])[1 + n / 18 %% cardinality(%(materials)s::text[])]),
        (%(things)s::text[])[1 + n %% cardinality(%(things)s::text[])], n),
    'made-up-' || n, 'Made up to see how a large shop fares.',
    'One of very many. Nobody has ever held it in their hands.', 'Made of numbers.', 'standard',
    true, now() - make_interval(mins => n), false, 0, 0
FROM generate_series(1, %(products)s) n
ON CONFLICT (slug) DO NOTHING
"""
VARIANTS = """
INSERT INTO shop_variant (product_id, sku, name, price, compare_at_price, weight_grams, position, is_active)
SELECT product.id, upper(product.slug) || '-' || kind,
    (%(kinds)s::text[])[1 + (n + kind * 3) %% cardinality(%(kinds)s::text[])],
    5 + n * 7 %% 200, CASE WHEN n %% 10 = 0 THEN 250 END, 500, kind, true
FROM (SELECT id, slug, substr(slug, 9)::int AS n FROM shop_product WHERE slug ~ '^made-up-[0-9]+$') product,
    generate_series(1, 2) kind
ON CONFLICT (sku) DO NOTHING
"""
#: Stock and the movement that it came by, as `stock.receive` would write them.
STOCK = """
WITH made AS (
    INSERT INTO inventory_stock (sku, pool, on_hand, allocated, version)
    SELECT sku, 'main', 1 + id %% 40, 0, 1 FROM shop_variant
    WHERE sku ~ '^MADE-UP-[0-9]+-[12]$' AND id %% 8 <> 0
    ON CONFLICT (sku, pool) DO NOTHING RETURNING id, on_hand
)
INSERT INTO inventory_stockmovement
    (stock_id, kind, on_hand_change, allocated_change, reservations, reason, actor)
SELECT id, 'receive', on_hand, 0, 0, 'made up', '' FROM made
"""
#: Each of one unit that was held for it and came back, because nobody paid.
ORDERS = """
WITH goods AS (
    SELECT row_number() OVER (ORDER BY variant.id) - 1 AS slot, variant.id AS variant_id, variant.sku, variant.price,
        product.name || ', ' || variant.name AS name, stock.id AS stock_id
    FROM shop_variant variant
    JOIN shop_product product ON product.id = variant.product_id
    JOIN inventory_stock stock ON stock.sku = variant.sku AND stock.pool = 'main'
), sold AS (
    SELECT n, gen_random_uuid() AS order_id, gen_random_uuid() AS reservation_id,
        now() - make_interval(mins => n) AS at, 'MADE-' || lpad(n::text, 9, '0') AS reference, goods.*
    FROM generate_series(1, %(orders)s) n JOIN goods ON goods.slot = n %% (SELECT count(*) FROM goods)
    WHERE NOT EXISTS (SELECT FROM shop_order WHERE reference = 'MADE-' || lpad(n::text, 9, '0'))
), placed AS (
    INSERT INTO shop_order (id, reference, email, key, state, currency, subtotal, discount, discount_code, shipping,
        shipping_method, tax, tax_name, tax_is_included, total, note, extension_seconds, carrier,
        tracking_number, tracking_url, recipient, street, street2, postcode, city, country,
        language, placed_at, expires_at, closed_at)
    SELECT order_id, reference, 'shopper-' || n || '@made-up.example', gen_random_uuid(), 'expired', %(currency)s,
        price, 0, '', 4.90, 'Standard', 0, '', true, price + 4.90, '', 0, '',
        '', '', 'Nobody', '1 Nowhere Road', '', '00000', 'Nowhere', 'DE',
        '', at, at, at
    FROM sold
), held AS (
    INSERT INTO inventory_reservation
        (id, key, stock_id, quantity, holder, scope, state, expires_at, created_at, settled_at)
    SELECT reservation_id, reservation_id, stock_id, 1, order_id::text, '', 'expired', at, at, at FROM sold
)
INSERT INTO shop_lineitem (order_id, variant_id, reservation_id, sku, name, quantity, unit_price, discount,
    tax_percent, tax, released, returned)
SELECT order_id, variant_id, reservation_id, sku, left(name, 220), 1, price, 0, 0, 0, 0, 0 FROM sold
"""


TABLES = (
    *("shop_product", "shop_variant", "inventory_stock", "shop_order", "shop_lineitem"),
    "inventory_reservation",
)


def fill(*, products: int, orders: int) -> None:
    """Make up so many products with two variants each, and so many orders, where they are not there already."""
    values: dict[str, Any] = {
        "categories": list(Category.objects.values_list("pk", flat=True)),
        "tempers": list(TEMPERS),
        "materials": list(MATERIALS),
        "things": list(THINGS),
        "kinds": list(KINDS),
        "products": products,
        "orders": orders,
        "currency": settings.CURRENCY,
    }
    wanted = [*([PRODUCTS, VARIANTS, STOCK] if products else []), *([ORDERS] if orders else [])]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for statement in wanted:
            cursor.execute(statement, values)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")
    if products:
        search.learn_words()
        pages.forget_all()
