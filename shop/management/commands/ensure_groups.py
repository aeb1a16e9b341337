from typing import Any

from django.core.management.base import BaseCommand

from shop import accounts


class Command(BaseCommand):
    help = "Give the groups of GROUPS their permissions. Run it after migrate; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        accounts.ensure_groups()
        self.stdout.write("The groups have their permissions.")
