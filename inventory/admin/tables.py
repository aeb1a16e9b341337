"""Import and export of tables in the back office."""

from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportMixin
from import_export.tmp_storages import CacheStorage


class TableMixin(ImportExportMixin):
    """A file counts once, however often its preview is confirmed, and as a whole, also when a row goes bad in between.

    The library takes nothing of a file with a bad row either, and then reports a success. When the cache is away, no
    preview can be confirmed: its file is in there.
    """

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        name = request.POST.get("import_file_name")
        if name and not _take(name):
            said = "This file was taken before, or its preview is too old. Choose it again to take it once more."
            messages.error(request, said)
            return self._back_to_import()
        taken: HttpResponse = super().process_import(request, **kwargs)
        return taken

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        known: dict[str, Any] = super().get_import_data_kwargs(**kwargs)
        return known | {"rollback_on_validation_errors": True}

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        if not result.has_errors() and not result.has_validation_errors():
            done: HttpResponse = super().process_result(result, request)
            return done
        for number, errors in result.row_errors():
            for error in errors:
                messages.error(request, f"Row {number}: {error.error}")
        for row in result.invalid_rows:
            messages.error(request, f"Row {row.number}: {row.error}")
        messages.error(request, "Nothing of the file was taken.")
        return self._back_to_import()

    def _back_to_import(self) -> HttpResponse:
        opts = self.model._meta
        return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_import"))


def _take(name: str) -> bool:
    """Whether a file with a preview is there, and nobody has confirmed it: said to one caller alone."""
    is_there = f"{CacheStorage.CACHE_PREFIX}{name}" in cache
    return is_there and cache.add(f"table-taken-{name}", True, CacheStorage.CACHE_LIFETIME)
