"""Print a sale's draw, and how anybody can check a place in it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from flashsale import draws
from flashsale.models import Sale
from flashsale.sales import describe

BEFORE = """\
The draw of {name}: it takes place at the opening, {opens_at}.

commitment  {commitment}
seed        secret until the opening
entrants    {joined} so far; the number is fixed at the opening

At the opening the seed is published, whose SHA-256 is the commitment, and the number of entrants. A place is then
    1 + floor(SHA-256(seed ":" shopper) * entrants / 2**256)
and anybody can check one with {script}
"""
AFTER = """\
The draw of {name}, which opened at {opens_at}.

commitment  {commitment}
seed        {seed}
entrants    {entrants}

The commitment is the SHA-256 of the seed. A place is
    1 + floor(SHA-256(seed ":" shopper) * entrants / 2**256)
where shopper is the id that {page} shows to whoever is signed in.

To check a place, get {script}
and run it (it needs Python and nothing else):
    python3 check_place.py {seed} {entrants} SHOPPER {commitment}
"""


class Command(BaseCommand):
    help = "Print a sale's draw: commitment, seed, entrants, and how to check a place."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="SALE", help="the sale's slug")

    def handle(self, *, sale: str, **options: Any) -> None:
        row = Sale.objects.filter(slug=sale).first()
        if row is None:
            raise CommandError(f"There is no sale {sale!r}.")
        try:
            draw = draws.published(describe(row), now=timezone.now())
        except draws.NoDraw as error:
            raise CommandError(
                f"{sale!r} has no draw: it is not scheduled, or its line goes by who comes first."
            ) from error
        entrants = "counted in a moment" if draw.entrants is None else draw.entrants
        self.stdout.write(
            (BEFORE if draw.seed is None else AFTER).format(
                name=row.name,
                opens_at=f"{timezone.localtime(draw.opens_at):%Y-%m-%d %H:%M:%S %Z}",
                commitment=draw.commitment,
                seed=draw.seed,
                entrants=entrants,
                joined=draw.joined,
                page=settings.SITE_URL + reverse("flashsale:draw", args=[sale]),
                script=settings.SITE_URL + reverse("flashsale:draw-script", args=[sale]),
            ),
            ending="",
        )
