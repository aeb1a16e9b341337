"""Invoices: the bill of a paid order, under a number that runs without gaps.

It is given in the transaction in which the order becomes paid, and never changes afterwards: an order's lines
and amounts do not either, and who sold to whom that day is kept with the number, also when the account is deleted.
"""

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from shop.models import Invoice, Order

#: The advisory lock of whoever takes the next number; any number will do that nothing else uses.
LOCK = 7_283_520_002


def issue(*, order: Order) -> Invoice:
    """Give an order its invoice, in the caller's transaction, as the last thing that it does.

    Numbers are given one after another: others who are just being paid wait until this transaction ends, and
    one that is rolled back takes no number with it.
    """
    with transaction.atomic():
        _wait_for_others()
        last = Invoice.objects.aggregate(number=Max("number"))["number"] or 0
        return Invoice.objects.create(
            number=last + 1, order=order, seller=seller(), recipient=recipient(order)
        )


def _wait_for_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def seller() -> str:
    """Who sells here, line by line: name, address and tax number."""
    lines = [settings.SHOP_NAME, *settings.SHOP_ADDRESS.splitlines(), settings.SHOP_TAX_ID]
    return "\n".join(line.strip() for line in lines if line.strip())


def recipient(order: Order) -> str:
    """Whom an order goes to, line by line: name and address but for the country."""
    town = f"{order.postcode} {order.city}"
    lines = [order.recipient, order.street, order.street2, town]
    return "\n".join(line.strip() for line in lines if line.strip())


def of(order: Order) -> Invoice | None:
    """An order's invoice, if it was paid."""
    return Invoice.objects.filter(order=order).first()
