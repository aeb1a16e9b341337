"""Send a synthetic crowd to a sale itself: for the demo and for development."""

import asyncio
from argparse import ArgumentParser
from typing import Any

import httpx
import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from flashsale import crowd, rehearsals, sales
from flashsale.models import Sale


class Command(BaseCommand):
    help = "Send a synthetic crowd through real HTTP to a sale, and prove the books afterwards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="SALE", help="the sale's slug")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the shop's address")
        parser.add_argument("--shoppers", type=int, default=300)
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same people")
        parser.add_argument("--seconds", type=float, default=900, help="the longest time it takes")

    def handle(
        self, *, sale: str, url: str, shoppers: int, seed: int, seconds: float, **options: Any
    ) -> None:
        if settings.PRODUCTION:
            raise CommandError("A made-up crowd must not buy in a real shop: use rehearse.")
        if not 1 <= shoppers <= crowd.MOST_SHOPPERS:
            raise CommandError(f"--shoppers is 1 to {crowd.MOST_SHOPPERS}.")
        row = Sale.objects.exclude(status=Sale.Status.DRAFT).filter(slug=sale).first()
        if row is None:
            raise CommandError(f"There is no sale {sale!r} that shoppers could see.")
        if (row.opens_at - timezone.now()).total_seconds() >= seconds:
            raise CommandError(
                f"{row.name} opens at {timezone.localtime(row.opens_at):%Y-%m-%d %H:%M %Z}, which is "
                f"later than the {seconds:.0f} seconds that the crowd stays: give more --seconds."
            )
        try:
            crowd.check_address(url)
        except crowd.NotLoopbackError as error:
            raise CommandError(str(error)) from error
        report = crowd.Report(shoppers=shoppers)
        members = crowd.enlist(shoppers)
        self.stdout.write(f"{shoppers} shoppers are on their way to {row.name}.")
        with crowd.shown(report, out=self.stdout) as tick:
            try:
                asyncio.run(
                    crowd.send(
                        url=url,
                        slug=sale,
                        members=members,
                        seed=seed,
                        seconds=seconds,
                        report=report,
                        tick=tick,
                    )
                )
            except httpx.HTTPError as error:
                raise CommandError(f"The shop at {url} did not answer: {error}") from error
        try:
            rehearsals.wait_until_settled(row)
        except redis.RedisError as error:
            self.stderr.write(f"Redis is away, so claims may still wait: {error}")
        units = sales.count_units(sales.describe(row))
        self.stdout.write(f"The crowd at {row.name} is done.")
        for line in report.lines():
            self.stdout.write(f"  {line}")
        self.stdout.write(
            f"  units       {units.sold} sold, {units.held} held, {units.left} free,"
            f" by the shop's books"
        )
        call_command("audit", sale=sale, stdout=self.stdout, stderr=self.stderr)
