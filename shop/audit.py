"""Proof in SQL that orders, their units and their payments agree; `inventory.audit` runs it."""

from collections.abc import Mapping
from typing import Any

from inventory.audit import Check
from shop import emails
from shop.payment_pauses import STUCK_TRIES

#: Minutes that an event or a payment may wait for its next step; then somebody has to look.
STUCK_MINUTES = 10


def checks(*, scope: Mapping[str, Any]) -> list[Check]:
    """The shop's invariants. They always cover all orders: the shop knows nothing that would narrow them."""
    return [
        Check(
            name="paid_orders_captured_once",
            question="Has every paid or shipped order one captured payment, of its total, unless that is nothing?",
            sql="""
                SELECT format('order %s (%s): total %s %s, captured %s in %s payments', placed.reference,
                    placed.state, placed.total, placed.currency, coalesce(captured.amount, 0),
                    coalesce(captured.payments, 0)) AS breach
                FROM shop_order placed
                LEFT JOIN (
                    SELECT order_id, count(*) AS payments, sum(amount) AS amount,
                        min(currency) AS currency
                    FROM shop_paymentintent WHERE state = 'captured' GROUP BY order_id
                ) captured ON captured.order_id = placed.id
                WHERE placed.state IN ('paid', 'fulfilled')
                    AND CASE WHEN placed.total = 0 THEN coalesce(captured.amount, 0) <> 0
                        ELSE (captured.payments, captured.amount, captured.currency)
                            IS DISTINCT FROM (1, placed.total, placed.currency) END
            """,
        ),
        Check(
            name="captured_payments_have_their_order",
            question="Does every captured payment belong to a paid or shipped order?",
            sql="""
                SELECT format('payment %s: captured %s %s, order %s is %s', payment.id, payment.amount,
                    payment.currency, placed.reference, placed.state) AS breach
                FROM shop_paymentintent payment
                JOIN shop_order placed ON placed.id = payment.order_id
                WHERE payment.state = 'captured' AND placed.state NOT IN ('paid', 'fulfilled')
            """,
        ),
        Check(
            name="refunded_orders_gave_back",
            question="Has every refunded order a payment that gave back its total?",
            sql="""
                SELECT format('order %s: refunded, total %s, given back %s', placed.reference,
                    placed.total, coalesce(sum(given.amount), 0)) AS breach
                FROM shop_order placed
                LEFT JOIN (
                    -- By payment: one that came when the order had another goes back besides.
                    SELECT order_id, sum(amount) AS amount FROM shop_refund
                    WHERE state IN ('pending', 'done') GROUP BY order_id, intent_id
                ) given ON given.order_id = placed.id
                WHERE placed.state = 'refunded'
                GROUP BY placed.id
                HAVING count(*) FILTER (WHERE given.amount = placed.total) = 0
            """,
        ),
        Check(
            name="payments_give_back_what_they_took",
            question="Does no payment give back more than was captured, and each that is refunded all of it?",
            sql="""
                SELECT format('payment %s of order %s (%s): %s, given back or on its way %s', payment.id,
                    placed.reference, payment.state, payment.amount, coalesce(refunds.amount, 0)) AS breach
                FROM shop_paymentintent payment
                JOIN shop_order placed ON placed.id = payment.order_id
                LEFT JOIN (
                    SELECT intent_id, sum(amount) AS amount FROM shop_refund
                    WHERE state IN ('pending', 'done') GROUP BY intent_id
                ) refunds ON refunds.intent_id = payment.id
                WHERE CASE WHEN payment.state IN ('refunding', 'refunded')
                    THEN coalesce(refunds.amount, 0) <> payment.amount
                    WHEN payment.state = 'captured' THEN refunds.amount >= payment.amount
                    ELSE refunds.amount IS NOT NULL END
            """,
        ),
        Check(
            name="money_is_conserved",
            question="Is what was captured and not given back what paid and shipped orders are still worth?",
            sql="""
                SELECT format('%s: captured minus given back %s, orders minus refunds %s', currency,
                    sum(ours), sum(theirs)) AS breach
                FROM (
                    SELECT currency, amount AS ours, 0 AS theirs FROM shop_paymentintent
                    WHERE state IN ('captured', 'refunding', 'refunded')
                    UNION ALL
                    SELECT currency, -amount, 0 FROM shop_refund WHERE state IN ('pending', 'done')
                    UNION ALL
                    SELECT currency, 0, total FROM shop_order WHERE state IN ('paid', 'fulfilled')
                    UNION ALL
                    SELECT placed.currency, 0, -refund.amount
                    FROM shop_refund refund JOIN shop_order placed ON placed.id = refund.order_id
                    WHERE refund.state IN ('pending', 'done') AND placed.state IN ('paid', 'fulfilled')
                        -- A payment that came when the order had another is none of its worth.
                        AND EXISTS (SELECT FROM shop_paymentintent payment
                            WHERE payment.id = refund.intent_id AND payment.state = 'captured')
                ) books
                GROUP BY currency HAVING sum(ours) <> sum(theirs)
            """,
        ),
        Check(
            name="paid_orders_have_an_invoice",
            question="Has every order that was paid its invoice, and do their numbers run without gaps?",
            sql="""
                SELECT format('order %s was paid at %s and has no invoice', placed.reference,
                    placed.paid_at) AS breach
                FROM shop_order placed
                LEFT JOIN shop_invoice invoice ON invoice.order_id = placed.id
                WHERE placed.paid_at IS NOT NULL AND invoice.number IS NULL
                    AND placed.paid_at > (SELECT min(issued_at) FROM shop_invoice)
                UNION ALL
                SELECT format('invoices: %s of them, and the last has number %s', count(*), max(number))
                FROM shop_invoice HAVING count(*) <> coalesce(max(number), 0)
            """,
        ),
        Check(
            name="order_events_have_their_mail",
            question="Has every step that a shopper is told of exactly one mail?",
            sql="""
                SELECT format('order %%s: %%s, and no mail %%s', placed.reference, event.kind, told.template)
                    AS breach
                FROM shop_orderevent event
                JOIN shop_order placed ON placed.id = event.order_id
                JOIN unnest(%(kinds)s::text[], %(templates)s::text[]) AS told (kind, template)
                    USING (kind)
                LEFT JOIN shop_outgoingmail mail ON mail.key = 'order-event:' || event.id
                WHERE mail.template IS DISTINCT FROM told.template
            """,
            params={"kinds": list(emails.MAILS), "templates": list(emails.MAILS.values())},
        ),
        Check(
            name="paid_orders_have_their_units",
            question="Has every line of a paid or shipped order its units, of its SKU and quantity?",
            sql="""
                SELECT format('order %s (%s): %s × %s, %s given back; reserved %s × %s, %s',
                    placed.reference, placed.state, line.quantity, line.sku, line.released,
                    reservation.quantity, stock.sku, reservation.state) AS breach
                FROM shop_lineitem line
                JOIN shop_order placed ON placed.id = line.order_id
                JOIN inventory_reservation reservation ON reservation.id = line.reservation_id
                JOIN inventory_stock stock ON stock.id = reservation.stock_id
                WHERE placed.state IN ('paid', 'fulfilled') AND (
                    stock.sku <> line.sku OR CASE WHEN line.released = line.quantity
                        THEN reservation.state <> 'released'
                        ELSE reservation.quantity <> line.quantity - line.released
                            OR reservation.state <> CASE placed.state
                                WHEN 'fulfilled' THEN 'consumed' ELSE 'confirmed' END
                        END
                )
            """,
        ),
        Check(
            name="closed_orders_keep_nothing",
            question="Does no expired, cancelled or refunded order keep units or money?",
            sql="""
                SELECT format('order %s (%s) keeps reservation %s (%s)', placed.reference, placed.state,
                    reservation.id, reservation.state) AS breach
                FROM shop_order placed
                JOIN shop_lineitem line ON line.order_id = placed.id
                JOIN inventory_reservation reservation ON reservation.id = line.reservation_id
                WHERE (placed.state IN ('expired', 'cancelled', 'refunded')
                        AND reservation.state = 'confirmed')
                    OR (placed.state IN ('expired', 'cancelled') AND reservation.state = 'consumed')
                    OR (placed.state IN ('cancelled', 'refunded') AND reservation.state = 'held')
                UNION ALL
                SELECT format('order %s (%s) has payment %s (%s)', placed.reference, placed.state,
                    payment.id, payment.state)
                FROM shop_order placed
                JOIN shop_paymentintent payment ON payment.order_id = placed.id
                WHERE placed.state IN ('expired', 'cancelled', 'refunded')
                    AND payment.state IN ('confirmed', 'captured')
            """,
        ),
        Check(
            name="confirmed_units_are_being_paid",
            question="Is every unpaid order whose units are confirmed just being captured?",
            sql="""
                SELECT format('order %s is unpaid, and reservation %s is %s', placed.reference,
                    reservation.id, reservation.state) AS breach
                FROM shop_order placed
                JOIN shop_lineitem line ON line.order_id = placed.id
                JOIN inventory_reservation reservation ON reservation.id = line.reservation_id
                WHERE placed.state = 'pending' AND reservation.state IN ('confirmed', 'consumed')
                    AND NOT EXISTS (
                        SELECT FROM shop_paymentintent payment
                        WHERE payment.order_id = placed.id AND payment.state = 'confirmed'
                    )
            """,
        ),
        Check(
            name="order_totals_add_up",
            question="Is every order's total its lines, less the discount, plus delivery and tax?",
            sql="""
                SELECT format('order %s: lines %s, subtotal %s, discount %s of %s, delivery %s, '
                    'tax %s of %s, total %s', placed.reference, coalesce(lines.amount, 0),
                    placed.subtotal, coalesce(lines.discount, 0), placed.discount, placed.shipping,
                    coalesce(lines.tax, 0), placed.tax, placed.total) AS breach
                FROM shop_order placed
                LEFT JOIN (
                    SELECT order_id, sum(unit_price * quantity) AS amount, sum(discount) AS discount,
                        sum(tax) AS tax, bool_or(discount > unit_price * quantity) AS is_below_zero
                    FROM shop_lineitem GROUP BY order_id
                ) lines ON lines.order_id = placed.id
                WHERE placed.subtotal <> coalesce(lines.amount, 0)
                    OR placed.discount <> coalesce(lines.discount, 0)
                    OR lines.is_below_zero
                    -- What is not the goods' tax is that on delivery.
                    OR placed.tax < coalesce(lines.tax, 0)
                    OR (placed.shipping = 0 AND placed.tax <> coalesce(lines.tax, 0))
                    OR placed.total <> placed.subtotal - placed.discount + placed.shipping
                        + CASE WHEN placed.tax_is_included THEN 0 ELSE placed.tax END
            """,
        ),
        Check(
            name="discount_codes_count_their_orders",
            question="Has every code as many uses as orders that have it and were not given up unpaid?",
            sql="""
                SELECT format('code %s: %s uses, %s orders', code.code, code.uses, count(used.id))
                    AS breach
                FROM shop_discountcode code
                LEFT JOIN shop_discountuse used ON used.code_id = code.id AND NOT used.is_given_back
                GROUP BY code.id HAVING code.uses <> count(used.id)
                UNION ALL
                SELECT format('order %s (%s) has code %s, given back: %s', placed.reference,
                    placed.state, placed.discount_code, used.is_given_back)
                FROM shop_discountuse used JOIN shop_order placed ON placed.id = used.order_id
                WHERE used.is_given_back <> (
                    placed.state IN ('expired', 'cancelled') AND placed.paid_at IS NULL
                )
            """,
        ),
        Check(
            name="payments_do_not_wait",
            question=f"Has no payment waited more than {STUCK_MINUTES} minutes for its next step?",
            sql=f"""
                SELECT format('payment %s of order %s: %s since %s, %s tries, %s', payment.id,
                    placed.reference, payment.state, payment.updated_at, payment.tries,
                    payment.last_error) AS breach
                FROM shop_paymentintent payment
                JOIN shop_order placed ON placed.id = payment.order_id
                WHERE (payment.updated_at < now() - interval '{STUCK_MINUTES} minutes'
                        OR payment.tries >= {STUCK_TRIES})
                    AND (payment.state IN ('authorised', 'confirmed', 'cancelling', 'refunding')
                        -- A bank may think as long as the order waits.
                        OR (payment.state = 'created' AND placed.state <> 'pending'))
            """,  # noqa: S608 -- our own constant, here and below
        ),
        Check(
            name="refunds_do_not_wait",
            question=f"Is every refund given back within {STUCK_MINUTES} minutes, and none refused?",
            sql=f"""
                SELECT format('refund of %s %s for order %s: %s since %s, %s', refund.amount,
                    refund.currency, placed.reference, refund.state, refund.created_at, refund.error)
                    AS breach
                FROM shop_refund refund JOIN shop_order placed ON placed.id = refund.order_id
                WHERE refund.state = 'refused' OR (refund.state = 'pending'
                    AND refund.created_at < now() - interval '{STUCK_MINUTES} minutes')
            """,  # noqa: S608
        ),
        Check(
            name="refunds_agree_with_the_provider",
            question="Did every provider give back what our books say, as far as it was asked?",
            sql="""
                SELECT format('payment %s of order %s: %s says it gave back %s, our books say %s',
                    payment.id, placed.reference, payment.gateway, payment.given_back,
                    coalesce(refunds.amount, 0)) AS breach
                FROM shop_paymentintent payment
                JOIN shop_order placed ON placed.id = payment.order_id
                LEFT JOIN (
                    SELECT intent_id, sum(amount) FILTER (WHERE state = 'done') AS amount,
                        bool_or(state = 'pending') AS is_under_way
                    FROM shop_refund GROUP BY intent_id
                ) refunds ON refunds.intent_id = payment.id
                WHERE payment.ask_refunds_at IS NULL AND refunds.is_under_way IS NOT TRUE
                    AND payment.given_back <> coalesce(refunds.amount, 0)
            """,
        ),
        Check(
            name="papers_say_what_was_earned",
            question="Is every invoice minus its credit notes what the order's payment brought and keeps?",
            sql="""
                SELECT format('invoice %s of order %s: %s, credit notes %s, its payment brought %s',
                    invoice.number, placed.reference, placed.total, coalesce(notes.amount, 0),
                    coalesce(earned.amount, 0)) AS breach
                FROM shop_invoice invoice
                JOIN shop_order placed ON placed.id = invoice.order_id
                LEFT JOIN (
                    SELECT order_id, sum(amount) AS amount FROM shop_refund
                    WHERE state = 'done' AND credit_number IS NOT NULL GROUP BY order_id
                ) notes ON notes.order_id = placed.id
                LEFT JOIN (
                    SELECT payment.order_id, sum(payment.amount - coalesce(given.amount, 0)) AS amount
                    FROM shop_paymentintent payment
                    LEFT JOIN (
                        SELECT intent_id, sum(amount) FILTER (WHERE state = 'done') AS amount,
                            bool_and(is_for_goods) AS is_for_goods
                        FROM shop_refund GROUP BY intent_id
                    ) given ON given.intent_id = payment.id
                    WHERE payment.state IN ('captured', 'refunding', 'refunded')
                        AND given.is_for_goods IS DISTINCT FROM false
                    GROUP BY payment.order_id
                ) earned ON earned.order_id = placed.id
                WHERE placed.total - coalesce(notes.amount, 0) <> coalesce(earned.amount, 0)
            """,
        ),
        Check(
            name="payment_events_do_not_wait",
            question=f"Is every payment event processed within {STUCK_MINUTES} minutes?",
            sql=f"""
                SELECT format('%s event %s (%s), received %s', gateway, event_id, kind, received_at)
                    AS breach
                FROM shop_paymentevent
                WHERE processed_at IS NULL
                    AND received_at < now() - interval '{STUCK_MINUTES} minutes'
            """,  # noqa: S608
        ),
        Check(
            name="unpaid_orders_end",
            question=f"Is every unpaid order closed within {STUCK_MINUTES} minutes after its time?",
            sql=f"""
                SELECT format('order %s: unpaid, its time was over at %s', reference, expires_at)
                    AS breach
                FROM shop_order
                WHERE state = 'pending' AND expires_at < now() - interval '{STUCK_MINUTES} minutes'
                    AND NOT EXISTS (
                        SELECT FROM shop_paymentintent payment
                        WHERE payment.order_id = shop_order.id
                            AND payment.state IN ('authorised', 'confirmed')
                    )
            """,  # noqa: S608
        ),
    ]
