"""What the shop does by itself. Each task is safe to run twice, and at the same time as itself.

Importing `mails`, `order_links` and `payment_events` here makes their tasks known to the worker.
"""

from celery import shared_task
from django.conf import settings

from shop import (
    mails,
    order_endings,
    orders,
    payment_events,
    payments,
    refund_checks,
    search,
    stock_alerts,
)
from shop.api import idempotency
from shop.gateways import demo
from shop.mails import send_mail
from shop.order_links import send_order_link
from shop.payment_events import process_event

__all__ = [
    "check_refunds",
    "deliver_demo_events",
    "expire_orders",
    "forget_answers",
    "forget_unconfirmed_alerts",
    "learn_search_words",
    "offer_what_came_in",
    "process_event",
    "process_payment_events",
    "remind_of_endings",
    "send_due_mails",
    "send_mail",
    "send_order_link",
    "settle_payments",
]


@shared_task
def expire_orders() -> int:
    """Close orders whose units are gone. An order changes state once, whoever comes first."""
    return orders.expire_due()


@shared_task
def remind_of_endings() -> int:
    """Write to shoppers whose time to pay is nearly over: once an order, by the mail's key."""
    return order_endings.remind()


@shared_task
def settle_payments() -> int:
    """Drive unfinished payments on, and ask about those whose outcome is unknown."""
    return payments.settle_due()


@shared_task
def check_refunds() -> int:
    """Ask providers what they gave back, and tell staff where our books say something else."""
    return refund_checks.check_due()


@shared_task
def send_due_mails() -> int:
    """Send the mails that should have gone out and did not. Each is claimed before it is sent."""
    return mails.send_due()


@shared_task
def forget_answers() -> int:
    """Delete the answers to repeated requests that are too old to be given again."""
    return idempotency.forget_old()


@shared_task
def process_payment_events() -> int:
    """Process stored events that were left lying."""
    return payment_events.process_due()


@shared_task
def deliver_demo_events() -> int:
    """Let the demo provider send what is due, through the same door as a real one."""
    if "demo" not in settings.PAYMENT_GATEWAYS:
        return 0
    return demo.deliver_due(
        send=lambda body, headers: payment_events.receive(
            gateway="demo", body=body, headers=headers
        )
    )


@shared_task
def offer_what_came_in() -> int:
    """Hold what is back for those who waited. One offer for each person and arrival, whoever comes first."""
    return stock_alerts.offer_what_came_in()


@shared_task
def forget_unconfirmed_alerts() -> int:
    """Delete addresses that nobody confirmed."""
    return stock_alerts.forget_unconfirmed()


@shared_task
def learn_search_words() -> None:
    """Gather the words that misspelt ones are compared with. Safe to run twice: they are gathered anew."""
    search.learn_words()
