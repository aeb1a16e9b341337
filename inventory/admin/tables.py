"""Import and export of tables in the back office."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.admin import ImportExportMixin


class TableMixin(ImportExportMixin):
    """A file counts as a whole, also when a row goes bad between its preview and its confirmation.

    The library takes nothing of such a file either, and then reports a success.
    """

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
        opts = self.model._meta
        return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_import"))
