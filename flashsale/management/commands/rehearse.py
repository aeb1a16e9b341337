"""Rehearse a sale: a synthetic crowd against a shadow copy of it, through real HTTP."""

import asyncio
from argparse import ArgumentParser
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flashsale import crowd, rehearsals
from flashsale.models import Sale

#: Seconds in which a running shop answers that it is alive.
ANSWER_SECONDS = 5.0


class Command(BaseCommand):
    help = "Send a synthetic crowd at a shadow copy of a sale; exit 1 when the verdict is bad."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sale", metavar="SALE", help="the sale's slug")
        parser.add_argument("--shoppers", type=int, required=True, metavar="N")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the shop's address")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same people")
        parser.add_argument("--seconds", type=float, default=300, help="the longest time it takes")

    def handle(
        self, *, sale: str, url: str, shoppers: int, seed: int, seconds: float, **options: Any
    ) -> None:
        original = Sale.objects.filter(slug=sale).first()
        if original is None:
            raise CommandError(f"There is no sale {sale!r}.")
        if not original.items.exists():
            raise CommandError(f"{original.name} has no items: there is nothing to rehearse.")
        if original.is_rehearsal:
            raise CommandError(f"{original.name} is a rehearsal itself.")
        if not 1 <= shoppers <= crowd.MOST_SHOPPERS:
            raise CommandError(f"--shoppers is 1 to {crowd.MOST_SHOPPERS}.")
        if "demo" not in settings.PAYMENT_GATEWAYS:
            raise CommandError(
                "The crowd pays with the demo gateway, which this shop does not take: "
                "rehearse on a copy of the shop that has PAYMENT_GATEWAYS=demo."
            )
        try:
            address = crowd.check_address(url)
            httpx.get(f"{address}/healthz/live", timeout=ANSWER_SECONDS, trust_env=False)
        except crowd.NotLoopbackError as error:
            raise CommandError(str(error)) from error
        except httpx.HTTPError as error:
            raise CommandError(
                f"No shop answers at {url} ({error}). Start it (make run), or give its --url."
            ) from error
        shadow = rehearsals.open_shadow(original, seconds=seconds)
        try:
            findings = self._rehearse(shadow, address, shoppers, seed, seconds)
        except httpx.HTTPError as error:
            raise CommandError(f"The shop at {url} stopped answering: {error}") from error
        finally:
            for reference in rehearsals.clean_up(shadow):
                self.stderr.write(f"Order {reference} is still being paid: refund it afterwards.")
        for finding in findings:
            mark = self.style.ERROR("BREACH") if finding.breaches else self.style.SUCCESS("ok")
            self.stdout.write(f"{mark:<6} {finding.question}")
            for breach in finding.breaches:
                self.stdout.write(f"         {breach}")
        if any(finding.breaches for finding in findings):
            self.stdout.write("Verdict: do not open this sale before the above is understood.")
            raise SystemExit(1)
        self.stdout.write("Verdict: good. The books agree, and nothing was sold twice.")

    def _rehearse(
        self, shadow: Sale, url: str, shoppers: int, seed: int, seconds: float
    ) -> list[rehearsals.Finding]:
        report = crowd.Report(shoppers=shoppers)
        members = crowd.enlist(shoppers)
        self.stdout.write(
            f"{shadow.name}: {shoppers} shoppers, opens in {rehearsals.LOBBY_SECONDS} seconds."
        )
        with crowd.shown(report, out=self.stdout) as tick:
            asyncio.run(
                crowd.send(
                    url=url,
                    slug=shadow.slug,
                    members=members,
                    seed=seed,
                    seconds=seconds,
                    report=report,
                    tick=tick,
                )
            )
        for line in report.lines():
            self.stdout.write(f"  {line}")
        return rehearsals.judge(shadow, report=report)
