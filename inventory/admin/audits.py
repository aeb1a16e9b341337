"""The audits that ran by themselves, and what they found."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from inventory.admin.read_only import ReadOnlyAdmin, told
from inventory.models import AuditRun


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin):
    list_display = ["started", "ok", "failed", "checks", "took"]
    list_filter = ["ok", "started_at"]
    fields = ["started", "ok", "checks", "took", "found"]
    readonly_fields = ["started", "found", "took"]

    @admin.display(description="started", ordering="started_at")
    def started(self, run: AuditRun) -> str:
        return told(run.started_at)

    @admin.display(description="took")
    def took(self, run: AuditRun) -> str:
        return f"{run.seconds:.1f} s"

    @admin.display(description="failed", empty_value="–")
    def failed(self, run: AuditRun) -> str | None:
        return ", ".join(run.breaches) or None

    @admin.display(description="breaches")
    def found(self, run: AuditRun) -> SafeString:
        """Every check that failed, with the rows that it names."""
        if run.ok:
            return format_html("{}", "none")
        return format_html(
            "<dl>{}</dl>",
            format_html_join(
                "", "<dt>{}</dt>{}", [(name, _rows(rows)) for name, rows in run.breaches.items()]
            ),
        )


def _rows(breaches: list[str]) -> SafeString:
    return format_html_join("", "<dd>{}</dd>", [(breach,) for breach in breaches])
