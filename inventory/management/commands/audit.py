"""Prove the invariants in SQL; exit 1 and name each breach."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from inventory import audit


class Command(BaseCommand):
    help = "Prove that stock, reservations, movements, orders and payments agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sale", metavar="SLUG", default="", help="only this sale")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *, sale: str, **options: Any) -> None:
        with audit.snapshot():
            results = list(audit.run(scope={"sale": sale} if sale else {}))
        failed = [result for result in results if result.breaches]
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "ok": not failed,
                        "checks": [
                            {
                                "name": result.check.name,
                                "question": result.check.question,
                                "breaches": result.breaches,
                            }
                            for result in results
                        ],
                    },
                    indent=2,
                )
            )
        else:
            for result in results:
                mark = self.style.ERROR("BREACH") if result.breaches else self.style.SUCCESS("ok")
                self.stdout.write(f"{mark:<6} {result.check.name}: {result.check.question}")
                for breach in result.breaches:
                    self.stdout.write(f"         {breach}")
            verdict = f"{len(failed)} of {len(results)} checks failed" if failed else "all agree"
            self.stdout.write(f"Audit: {verdict}.")
        if failed:
            raise SystemExit(1)
