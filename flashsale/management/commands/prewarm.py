"""Warm what a sale will need, and print what was warmed."""

from argparse import ArgumentParser
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from flashsale import prewarming
from flashsale.models import Sale


class Command(BaseCommand):
    help = "Warm what a sale will need in its first second; run it before the lobby opens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="SALE", help="the sale's slug")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the shop's address")

    def handle(self, *, sale: str, url: str, **options: Any) -> None:
        row = Sale.objects.filter(slug=sale).exclude(status=Sale.Status.DRAFT).first()
        if row is None:
            raise CommandError(f"There is no scheduled sale {sale!r}.")
        try:
            for warmed in prewarming.prewarm(row, url=url):
                self.stdout.write(f"warm  {warmed}")
        except redis.RedisError as error:
            raise CommandError(f"Redis is away: {error}") from error
