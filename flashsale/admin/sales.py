"""Sales in the back office: plan, schedule, watch, pause, end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, ForeignKey, Q, QuerySet, Sum
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from flashsale import figures, steering
from flashsale.admin import units
from flashsale.admin.sale_form import (
    EDITABLE,
    LOOK,
    RULES,
    STOCK,
    TIMES,
    WHY_FIXED,
    WORDS,
    SaleForm,
    warnings,
)
from flashsale.controller import Reason
from flashsale.models import Sale, SaleItem
from flashsale.sales import NotPossible, phase_by_clock
from inventory.stock import NotEnoughStock
from shop.models import Variant

Status = Sale.Status
#: Methods that show a time which cannot be changed any more.
TOLD_TIMES = {"lobby_opens_at": "lobby_opens", "opens_at": "opens", "closes_at": "closes"}
RUNNING = (Status.SCHEDULED, Status.PAUSED)
#: Why the controller calls no more shoppers, as a merchant reads it.
HELD_UP_BY = {
    Reason.CLOSED: "the sale is not open",
    Reason.PAUSED: "the pause",
    Reason.EVERYONE_SERVED: "nothing: everyone in line was called",
    Reason.CAP: "the cap: as many are inside, or on their way, as may be",
    Reason.UNITS: "the units: as many are inside, or on their way, as there are free ones",
    Reason.PACE: "the pace that you chose",
    Reason.BACKLOG: "the purchase queue: claims take long to be settled",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a merchant does with a sale, after a page that asks whether they mean it."""

    label: str
    done: str
    explanation: str
    sources: tuple[Status, ...]
    run: Callable[[Sale], None]


STEPS = {
    "schedule": Step(
        label="Schedule",
        done="scheduled",
        explanation="Shoppers see the sale from now on. Its units leave the main pool and are kept for it, "
        "and its draw is committed to. Items, prices and the opening cannot be changed afterwards.",
        sources=(Status.DRAFT,),
        run=steering.schedule,
    ),
    "pause": Step(
        label="Pause",
        done="paused",
        explanation="Nobody is let in and nobody can buy until you resume. Shoppers keep their places and "
        "their holds, and can pay.",
        sources=(Status.SCHEDULED,),
        run=steering.pause,
    ),
    "resume": Step(
        label="Resume",
        done="resumed",
        explanation="The line moves on and shoppers can buy again.",
        sources=(Status.PAUSED,),
        run=steering.resume,
    ),
    "end": Step(
        label="End now",
        done="ended",
        explanation="The sale is over for good. What is held can still be paid; free units go back to the "
        "main pool.",
        sources=RUNNING,
        run=steering.end,
    ),
    "cancel": Step(
        label="Cancel",
        done="cancelled",
        explanation="The sale is called off for good. What is held can still be paid; free units go back "
        "to the main pool.",
        sources=(Status.DRAFT, *RUNNING),
        run=steering.cancel,
    ),
}


class SaleItemInline(admin.TabularInline):
    model = SaleItem
    extra = 1
    fields = ["variant", "usual_price", "price", "units", "position"]
    readonly_fields = ["usual_price"]

    @admin.display(description=f"usual price ({settings.CURRENCY})")
    def usual_price(self, item: SaleItem) -> str:
        return str(item.variant.price) if item.pk else "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SaleItem]:
        return super().get_queryset(request).select_related("variant__product", "sale")

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelChoiceField[Any] | None":
        if db_field.name == "variant":
            kwargs["queryset"] = Variant.objects.filter(is_active=True).select_related("product")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Sale | None = None) -> bool:
        return _is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_draft(obj) and super().has_delete_permission(request, obj)


@admin.register(Sale)
class SaleAdmin(admin.ModelAdmin):
    form = SaleForm
    inlines = [SaleItemInline]
    change_form_template = "admin/flashsale/sale/change_form.html"
    list_display = ["name", "current_phase", "opens", "closes", "units", "queue_mode"]
    list_filter = ["status", "queue_mode", "opens_at", "is_rehearsal"]
    search_fields = ["name", "slug", "items__variant__sku", "items__variant__product__name"]
    search_help_text = "A sale's name or slug, or a product or SKU in it."
    date_hierarchy = "opens_at"
    prepopulated_fields = {"slug": ["name"]}
    save_on_top = True
    view_on_site = False

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sale]:
        sales: QuerySet[Sale] = super().get_queryset(request)
        return sales.annotate(
            units_all=Sum("items__units"),
            units_free=Sum(F("items__stock__on_hand") - F("items__stock__allocated")),
        )

    @admin.display(description="phase", ordering="status")
    def current_phase(self, sale: Sale) -> str:
        return phase_by_clock(sale, now=timezone.now()).capitalize()

    @admin.display(description="lobby opens")
    def lobby_opens(self, sale: Sale) -> str:
        return _told(sale.lobby_opens_at)

    @admin.display(description="opens", ordering="opens_at")
    def opens(self, sale: Sale) -> str:
        return _told(sale.opens_at)

    @admin.display(description="closes", ordering="closes_at")
    def closes(self, sale: Sale) -> str:
        return _told(sale.closes_at)

    @admin.display(description="units free")
    def units(self, sale: Sale) -> str:
        free, total = (getattr(sale, name) for name in ("units_free", "units_all"))
        return f"{'–' if free is None else free} of {total or 0}"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # A sale is deleted on its own page, which says why it cannot be.
        return {
            name: action
            for name, action in super().get_actions(request).items()
            if name != "delete_selected"
        }

    # One sale

    def get_readonly_fields(self, request: HttpRequest, obj: Sale | None = None) -> list[str]:
        if obj is None or obj.status == Status.DRAFT:
            return ["status", "numbers"]
        editable = EDITABLE[Status(obj.status)]
        fixed = [name for name in (*WORDS, *LOOK, "slug", *RULES, *STOCK) if name not in editable]
        return ["status", "numbers", *fixed, *TOLD_TIMES.values()]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Sale | None = None
    ) -> dict[str, Any]:
        return {"slug": ["name"]} if _is_draft(obj) else {}

    def get_fieldsets(self, request: HttpRequest, obj: Sale | None = None) -> Any:
        words: dict[str, Any] = {"fields": ["name", "slug", "tagline", "description"]}
        if obj is not None and obj.status != Status.DRAFT:
            words["description"] = WHY_FIXED[Status(obj.status)]
        fieldsets = [
            ("What shoppers read", words),
            (f"Times ({settings.TIME_ZONE})", {"fields": _times(obj)}),
            ("Rules", {"fields": RULES}),
            ("Stock", {"fields": STOCK}),
            ("The page of the line", {"fields": LOOK}),
        ]
        if obj is not None:
            fieldsets.insert(0, ("Now", {"fields": ["status", "numbers"]}))
        return fieldsets

    @admin.display(description="figures")
    def numbers(self, sale: Sale) -> SafeString:
        if sale.status == Status.DRAFT:
            return format_html("{}", "A draft has no effect. Schedule it when it is ready.")
        now = figures.read(sale, now=timezone.now())
        rows = [
            ("Phase", now.phase.capitalize()),
            ("Sold", now.units.sold),
            ("Held", now.units.held),
            ("Free", now.units.left),
            ("In line", "no line" if now.waiting is None else now.waiting),
            *_line_told(now.line),
            (
                "Claims being settled",
                "unknown, Redis is away" if now.queued is None else now.queued,
            ),
            ("Gate in Redis", _gate_told(now)),
            *_waits_told(now),
        ]
        return format_html(
            "<table>{}</table>",
            format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows),
        )

    def save_model(self, request: HttpRequest, obj: Sale, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.status in RUNNING and not steering.tell(obj):
            messages.warning(
                request, "Redis is away: the change reaches the gate with the next beat."
            )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.instance.status == Status.DRAFT:
            for warning in warnings(form.instance):
                messages.warning(request, warning)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        sale = kwargs.get("obj")
        context["show_delete"] = sale is not None and not _is_on_record(sale)
        if sale is not None and self.has_change_permission(request, sale):
            context["steps"] = [
                {"label": step.label, "url": _step_url(sale, name)}
                for name, step in STEPS.items()
                if sale.status in step.sources
            ]
            if units.is_open_to_changes(sale):
                url = reverse("admin:flashsale_sale_units", args=[sale.pk])
                context["steps"].append({"label": units.LABEL, "url": url})
        return super().render_change_form(request, context, *args, **kwargs)

    # Steps

    def get_urls(self) -> list[URLPattern]:
        step = self.admin_site.admin_view(self.step_view)
        change_units = self.admin_site.admin_view(self.units_view)
        return [
            path("<int:pk>/units/", change_units, name="flashsale_sale_units"),
            path("<int:pk>/<slug:name>/confirm/", step, name="flashsale_sale_step"),
            *super().get_urls(),
        ]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Ask (GET), then do it (POST)."""
        sale = self.get_object(request, str(pk))
        if sale is None or name not in STEPS:
            raise Http404
        if not self.has_change_permission(request, sale):
            raise PermissionDenied
        step = STEPS[name]
        back = reverse("admin:flashsale_sale_change", args=[sale.pk])
        if request.method != "POST":
            context = self.admin_site.each_context(request) | {
                "title": f"{step.label}: {sale}",
                "opts": self.opts,
                "row": sale,
                "items": sale.items.select_related("variant__product"),
                "step": step,
                "back_url": back,
                "currency": settings.CURRENCY,
            }
            return TemplateResponse(request, "admin/flashsale/sale/step.html", context)
        try:
            step.run(sale)
        except (NotPossible, NotEnoughStock) as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, sale, f"{step.done.capitalize()}.")
            messages.success(request, f"{sale} was {step.done}.")
        return HttpResponseRedirect(back)

    def units_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return units.page(self, request, self.get_object(request, str(pk)))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        sale = self.get_object(request, object_id)
        if sale is not None and _is_on_record(sale):
            messages.error(
                request,
                f"{sale} was scheduled, and its units and purchases are on record: it cannot be "
                "deleted. End or cancel it instead.",
            )
            return HttpResponseRedirect(reverse("admin:flashsale_sale_change", args=[sale.pk]))
        return super().delete_view(request, object_id, extra_context)


def _is_on_record(sale: Sale) -> bool:
    return sale.purchases.exists() or sale.items.filter(~Q(stock=None)).exists()


def _times(sale: Sale | None) -> list[str]:
    """The times' fields; those that are fixed are shown with the zone's name instead."""
    if sale is None or sale.status == Status.DRAFT:
        return list(TIMES)
    editable = EDITABLE[Status(sale.status)]
    return [name if name in editable else TOLD_TIMES[name] for name in TIMES]


def _is_draft(sale: Any) -> bool:
    return sale is None or sale.status == Status.DRAFT


def _told(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M %Z}"


def _step_url(sale: Sale, name: str) -> str:
    return reverse("admin:flashsale_sale_step", args=[sale.pk, name])


def _line_told(line: figures.LineFigures | None) -> list[tuple[str, object]]:
    if line is None:
        return []
    pace = line.places_per_minute
    return [
        ("Joined the line", line.joined),
        ("Called", line.served),
        ("Came in", line.entered),
        ("Did not come", f"{line.no_shows}; now {line.show_up:.0%} of those who are called come"),
        ("Coming in", f"{line.entries_per_minute:.1f} a minute"),
        ("Line moves on by", "unknown" if pace is None else f"{pace:.1f} places a minute"),
        ("Held up by", HELD_UP_BY[line.reason]),
    ]


def _waits_told(now: figures.Figures) -> list[tuple[str, str]]:
    if now.waits is None:
        return []
    half, most, nearly_all = (
        str(timedelta(seconds=round(seconds)))
        for seconds in (now.waits.median, now.waits.ninety, now.waits.ninety_nine)
    )
    return [
        ("Half of those let in waited at most", half),
        ("Nine in ten waited at most", most),
        ("99 in 100 waited at most", nearly_all),
    ]


def _gate_told(now: figures.Figures) -> str:
    if now.gate is None:
        return "unknown, Redis is away or has none yet"
    if now.drift:
        return f"{now.gate}, {now.drift:+} against the books; it settles within seconds"
    return f"{now.gate}, agrees with the books"
