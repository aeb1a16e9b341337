"""The demo's catalogue, shoppers and sales."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from flashsale import demo_sales
from shop import demo_bulk, demo_data


class Command(BaseCommand):
    help = "Make the demo's catalogue, accounts and sales; running it twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fresh-sale",
            action="store_true",
            help="put the demo sale of an earlier run away and schedule one that opens in a minute",
        )

        parser.add_argument(
            "--products", type=int, default=0, metavar="N", help="make up N more products"
        )
        parser.add_argument(
            "--orders", type=int, default=0, metavar="M", help="make up M orders that nobody paid"
        )

    def handle(
        self, *, fresh_sale: bool, products: int = 0, orders: int = 0, **options: Any
    ) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo's goods and accounts have no place in a real shop.")
        demo_data.seed()
        demo_bulk.fill(products=products, orders=orders)
        for sale in demo_sales.seed(fresh=fresh_sale, now=timezone.now()):
            opens = timezone.localtime(sale.opens_at)
            self.stdout.write(f"Scheduled {sale.name}, opens {opens:%Y-%m-%d %H:%M:%S %Z}.")
