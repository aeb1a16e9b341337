"""Proof in SQL that purchases, reservations, units and orders agree; `inventory.audit` runs it."""

from collections.abc import Mapping
from typing import Any

from inventory.audit import Check

#: Purchases with their sale and item, narrowed to one sale when the scope says so.
PURCHASES = """
    flashsale_purchase purchase
    JOIN flashsale_sale sale ON sale.id = purchase.sale_id
        AND (%(sale)s::text IS NULL OR sale.slug = %(sale)s)
    JOIN flashsale_saleitem item ON item.id = purchase.item_id
"""
#: Sale items with units of their own, narrowed likewise.
POOLS = """
    flashsale_saleitem item
    JOIN flashsale_sale sale ON sale.id = item.sale_id
        AND (%(sale)s::text IS NULL OR sale.slug = %(sale)s)
    JOIN inventory_stock stock ON stock.id = item.stock_id
"""
#: What was ring-fenced for the item and is not back in the main pool, by the ledger.
RING_FENCED = """
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(on_hand_change), 0) AS units FROM inventory_stockmovement
        WHERE stock_id = stock.id AND kind IN ('receive', 'adjust', 'transfer')
    ) fenced
"""


def checks(*, scope: Mapping[str, Any]) -> list[Check]:
    """The front door's invariants; `scope["sale"]`, a slug, narrows them to one sale."""
    params = {"sale": scope.get("sale")}
    return [
        Check(
            name="sale_exists",
            question="Is there a sale of that name?",
            sql="""
                SELECT format('there is no sale %%s', %(sale)s::text) AS breach
                WHERE %(sale)s::text IS NOT NULL
                    AND NOT EXISTS (SELECT FROM flashsale_sale WHERE slug = %(sale)s)
            """,
            params=params,
        ),
        Check(
            name="limit_kept",
            # Who took units under a limit that was lowered afterwards keeps them, and rightly.
            question="Has nobody more units of a sale than its limit, now and when they took the last?",
            sql=f"""
                SELECT format('shopper %%s has %%s units of %%s, limit %%s', purchase.shopper_id,
                    sum(reservation.quantity), sale.slug, sale.limit_per_shopper) AS breach
                FROM {PURCHASES}
                JOIN inventory_reservation reservation ON reservation.id = purchase.reservation_id
                    AND reservation.state IN ('held', 'confirmed', 'consumed')
                GROUP BY sale.id, purchase.shopper_id
                HAVING sum(reservation.quantity) > sale.limit_per_shopper
                    AND sum(reservation.quantity) > coalesce((
                        SELECT limit_units FROM inventory_holding
                        WHERE scope = 'sale:' || sale.id AND holder = purchase.shopper_id::text
                    ), 0)
            """,  # noqa: S608 -- our own constants, here and below
            params=params,
        ),
        Check(
            name="purchases_have_their_reservation",
            question="Has every purchase that was not refused a reservation of its units and shopper?",
            sql=f"""
                SELECT format('purchase %%s of %%s: %%s for %%s, reserved %%s for %%s', purchase.id,
                    sale.slug, purchase.quantity, purchase.shopper_id,
                    coalesce(reservation.quantity, 0), coalesce(reservation.holder, 'nobody'))
                    AS breach
                FROM {PURCHASES}
                LEFT JOIN inventory_reservation reservation
                    ON reservation.id = purchase.reservation_id
                LEFT JOIN shop_lineitem line ON line.reservation_id = reservation.id
                WHERE purchase.refusal = '' AND ((
                    item.sale_id, purchase.shopper_id::text, item.stock_id, 'sale:' || sale.id
                ) IS DISTINCT FROM (
                    sale.id, reservation.holder::text, reservation.stock_id, reservation.scope::text
                ) OR CASE WHEN reservation.state = 'released' AND line.released > 0
                    -- It gave its units back in parts, and keeps the number of the last one.
                    THEN line.released <> purchase.quantity
                    ELSE reservation.quantity + coalesce(line.released, 0) <> purchase.quantity
                    END
                )
            """,  # noqa: S608
            params=params,
        ),
        Check(
            name="refused_purchases_took_nothing",
            question="Has no refused purchase a reservation or an order?",
            sql=f"""
                SELECT format('purchase %%s of %%s was refused (%%s) and has reservation %%s, order %%s',
                    purchase.id, sale.slug, purchase.refusal, coalesce(reservation.id::text, 'none'),
                    coalesce(purchase.order_id::text, 'none')) AS breach
                FROM {PURCHASES}
                LEFT JOIN inventory_reservation reservation
                    ON reservation.id IN (purchase.id, purchase.reservation_id)
                WHERE purchase.refusal <> ''
                    AND (reservation.id IS NOT NULL OR purchase.order_id IS NOT NULL)
            """,  # noqa: S608
            params=params,
        ),
        Check(
            name="sale_units_promised_to_purchases",
            question="Does every reservation of a sale's units belong to a purchase?",
            sql=f"""
                SELECT format('reservation %%s of %%s (%%s) belongs to no purchase',
                    reservation.id, stock.sku, stock.pool) AS breach
                FROM {POOLS}
                JOIN inventory_reservation reservation ON reservation.stock_id = stock.id
                LEFT JOIN flashsale_purchase purchase ON purchase.reservation_id = reservation.id
                WHERE purchase.id IS NULL
            """,  # noqa: S608
            params=params,
        ),
        Check(
            name="sale_units_add_up",
            question="Are sold + held + free units the units that were ring-fenced?",
            sql=f"""
                SELECT format('%%s in %%s: sold %%s + held %%s + free %%s, ring-fenced %%s', stock.sku,
                    sale.slug, coalesce(promised.sold, 0), coalesce(promised.held, 0),
                    stock.on_hand - stock.allocated, fenced.units) AS breach
                FROM {POOLS}
                LEFT JOIN (
                    SELECT stock_id,
                        sum(quantity) FILTER (WHERE state IN ('confirmed', 'consumed')) AS sold,
                        sum(quantity) FILTER (WHERE state = 'held') AS held
                    FROM inventory_reservation GROUP BY stock_id
                ) promised ON promised.stock_id = stock.id
                {RING_FENCED}
                WHERE coalesce(promised.sold, 0) + coalesce(promised.held, 0)
                    + stock.on_hand - stock.allocated <> fenced.units
            """,  # noqa: S608
            params=params,
        ),
        Check(
            name="sale_pools_have_their_item",
            question="Does every pool of a sale belong to an item of that sale?",
            sql="""
                SELECT format('stock %%s (%%s): %%s units on hand belong to no item of a sale', stock.sku,
                    stock.pool, stock.on_hand) AS breach
                FROM inventory_stock stock
                LEFT JOIN flashsale_saleitem item ON item.stock_id = stock.id
                    AND 'sale:' || item.sale_id = stock.pool
                WHERE stock.pool LIKE 'sale:%%' AND item.id IS NULL AND (%(sale)s::text IS NULL
                    OR stock.pool = (SELECT 'sale:' || id FROM flashsale_sale WHERE slug = %(sale)s))
            """,
            params=params,
        ),
        Check(
            name="sale_items_say_their_units",
            question="Does every item of a current sale say the units that are ring-fenced for it, and no "
            "item of a past one fewer?",
            sql=f"""
                SELECT format('%%s in %%s (%%s): %%s units, ring-fenced %%s', stock.sku, sale.slug,
                    sale.status, item.units, fenced.units) AS breach
                FROM {POOLS}
                {RING_FENCED}
                WHERE CASE WHEN sale.status IN ('scheduled', 'paused')
                    THEN item.units <> fenced.units
                    -- Free units went back to the main pool.
                    ELSE item.units < fenced.units END
            """,  # noqa: S608
            params=params,
        ),
        Check(
            name="purchases_have_the_sale_price",
            question="Does every purchase and its order have the sale's price, units and shopper?",
            sql=f"""
                SELECT format('purchase %%s of %%s: price %%s, sale %%s, order %%s × %%s', purchase.id,
                    sale.slug, purchase.unit_price, item.price, coalesce(line.quantity, 0),
                    coalesce(line.unit_price::text, 'none')) AS breach
                FROM {PURCHASES}
                LEFT JOIN inventory_reservation paid ON paid.id = purchase.reservation_id
                    AND paid.state IN ('confirmed', 'consumed') AND purchase.order_id IS NULL
                LEFT JOIN shop_order placed ON placed.id = purchase.order_id
                LEFT JOIN shop_user account ON account.id = placed.user_id
                LEFT JOIN shop_lineitem line ON line.order_id = placed.id
                    AND line.reservation_id = purchase.reservation_id
                WHERE purchase.unit_price <> item.price
                    OR (purchase.order_id IS NOT NULL
                        AND (line.unit_price, line.quantity, account.shopper_id)
                            IS DISTINCT FROM
                            (purchase.unit_price, purchase.quantity, purchase.shopper_id))
                    OR paid.id IS NOT NULL
            """,  # noqa: S608
            params=params,
        ),
    ]
