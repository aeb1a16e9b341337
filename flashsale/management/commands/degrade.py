"""The switch for load shedding that staff have in the admin, for the command line."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from flashsale import shedding
from flashsale.shedding import Level


class Command(BaseCommand):
    help = "Hold a load-shedding level for some time, or let it go: degrade auto."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("level", choices=[*Level.values, "auto"], metavar="LEVEL")
        parser.add_argument("--for", type=int, dest="minutes", metavar="MINUTES")
        parser.add_argument("--reason", default="", metavar="TEXT")

    def handle(self, *, level: str, minutes: int | None, reason: str, **options: Any) -> None:
        if level == "auto":
            if minutes is not None:
                raise CommandError("auto has no end: leave --for away.")
            chosen, reason = Level.NORMAL, reason or "back to automatic"
        elif minutes is None or not reason.strip():
            raise CommandError(
                "Say for how long and why: "
                f'manage.py degrade {level} --for 30 --reason "a rush on the lamp sale"'
            )
        else:
            chosen = Level(level)
        try:
            row = shedding.set_level(
                level=chosen,
                minutes=minutes,
                reason=reason,
                set_by=f"{getpass.getuser()} (command)",
            )
        except shedding.NotAllowed as error:
            raise CommandError(str(error)) from error
        if row.until is None:
            self.stdout.write(f"{row.get_level_display()}.")
        else:
            until = timezone.localtime(row.until)
            self.stdout.write(f"{row.get_level_display()}, until {until:%Y-%m-%d %H:%M %Z}.")
