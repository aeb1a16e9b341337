"""Records that people look at and nobody edits: they change by what happens, or by steps of their own."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone


def told(moment: datetime) -> str:
    """A time to the second in the shop's zone, for a narrow column: it breaks between date and time alone."""
    local = timezone.localtime(moment)
    return " ".join(
        f"{local:{part}}".replace(" ", "\N{NO-BREAK SPACE}") for part in ("%d %b %Y", "%H:%M:%S %Z")
    )


class ReadOnlyAdmin(admin.ModelAdmin):
    # Millions of rows: the list says how many were found, and does not count all of them as well.
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
