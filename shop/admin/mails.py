"""The outbox: what was sent, what waits and why, with another try for it."""

from smtplib import SMTPException
from typing import Any

from csp.decorators import csp_update
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from shop import mails
from shop.models import OutgoingMail
from shop.views.mail_frames import AROUND_A_FRAME, mail_frame


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sent", "Sent"), ("waiting", "Waiting"), ("failing", "Failing")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OutgoingMail]
    ) -> QuerySet[OutgoingMail]:
        states = {
            "sent": Q(sent_at__isnull=False),
            "waiting": Q(sent_at=None, error=""),
            "failing": Q(sent_at=None) & ~Q(error=""),
        }
        return queryset.filter(states.get(self.value() or "", Q()))


@admin.register(OutgoingMail)
class OutgoingMailAdmin(admin.ModelAdmin):
    list_display = ["created_at", "template", "to", "order", "sent_at", "tries", "error"]
    list_filter = [StateFilter, "template", "created_at"]
    list_select_related = ["order"]
    search_fields = ["to", "order__reference", "key"]
    date_hierarchy = "created_at"
    fields = readonly_fields = (
        "to",
        "template",
        "order",
        "key",
        "created_at",
        "sent_at",
        "due_at",
        "tries",
        "error",
    )
    actions = ["send_now"]

    class Media:
        css = {"all": ["css/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutgoingMail | None = None) -> bool:
        """Who may change mails may send them again; nobody edits one."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: OutgoingMail | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/html/", view(self.html), name="shop_outgoingmail_html"),
            path("<int:pk>/send/", view(require_POST(self.send)), name="shop_outgoingmail_send"),
            *super().get_urls(),
        ]

    @method_decorator(csp_update(AROUND_A_FRAME))
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"can_retry": False, **(extra_context or {})}
        mail = self.get_object(request, object_id)
        if mail is not None:
            context["can_retry"] = mail.sent_at is None and self.has_change_permission(request)
            try:
                context["message"] = mails.render(mail, is_preview=True)
            except (TemplateDoesNotExist, TemplateSyntaxError) as error:
                context["broken"] = f"It cannot be written: {error}"
        return super().change_view(request, object_id, form_url, context)

    def html(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML part alone, for the frame."""
        mail = get_object_or_404(OutgoingMail, pk=pk)
        if not self.has_view_permission(request, mail):
            return HttpResponse(status=403)
        ((html, _),) = mails.render(mail, is_preview=True).alternatives
        return mail_frame(str(html))

    def send(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button on a mail's own page."""
        if not self.has_change_permission(request):
            return HttpResponse(status=403)
        self._send(request, get_object_or_404(OutgoingMail, pk=pk))
        return HttpResponseRedirect(reverse("admin:shop_outgoingmail_change", args=[pk]))

    @admin.action(description="Send now what was not sent", permissions=["change"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[OutgoingMail]) -> None:
        for mail in queryset.filter(sent_at=None):
            self._send(request, mail)

    def _send(self, request: HttpRequest, mail: OutgoingMail) -> None:
        try:
            is_sent = mails.retry(mail)
        except (OSError, SMTPException, TemplateDoesNotExist, TemplateSyntaxError) as error:
            self.log_change(request, mail, f"Tried again: {error}")
            self.message_user(request, f"Not sent to {mail.to}: {error}", messages.ERROR)
            return
        if is_sent:
            self.log_change(request, mail, "Sent.")
            self.message_user(request, f"Sent to {mail.to}.", messages.SUCCESS)
        else:
            self.message_user(
                request, f"{mail.to}: it was sent, or is just being sent.", messages.INFO
            )
