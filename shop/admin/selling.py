"""Delivery methods with their rates, taxes, and discount codes."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from shop.models import DiscountCode, DiscountUse, ShippingMethod, ShippingRate, TaxRate
from shop.templatetags.shop import money, percent

Kind = DiscountCode.Kind


class ShippingRateInline(admin.TabularInline):
    model = ShippingRate
    extra = 0
    min_num = 1
    fields = ["max_weight_grams", "min_subtotal", "price"]


@admin.register(ShippingMethod)
class ShippingMethodAdmin(admin.ModelAdmin):
    list_display = ["name", "where", "days", "position", "is_active"]
    list_editable = ["position", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name"]
    inlines = [ShippingRateInline]

    @admin.display(description="goes to")
    def where(self, method: ShippingMethod) -> str:
        return ", ".join(country.code for country in method.countries) or "everywhere"

    @admin.display(description="days")
    def days(self, method: ShippingMethod) -> str:
        return f"{method.min_days} to {method.max_days}"


@admin.register(TaxRate)
class TaxRateAdmin(admin.ModelAdmin):
    list_display = ["country", "tax_class", "name", "rate", "is_included"]
    list_filter = ["tax_class", "is_included", "name"]
    search_fields = ["country", "name"]

    def save_model(self, request: HttpRequest, tax_rate: TaxRate, form: Any, change: bool) -> None:
        switched = tax_rate.differing.count()
        super().save_model(request, tax_rate, form, change)
        if switched:
            where = "contained in prices" if tax_rate.is_included else "added on top of prices"
            self.message_user(
                request,
                f"All taxes of {tax_rate.country.name} are {where} now: {switched} of its other rates "
                "were switched, too.",
                messages.WARNING,
            )

    @admin.display(description="rate", ordering="percent")
    def rate(self, tax_rate: TaxRate) -> str:
        return percent(tax_rate.percent)


class WhetherItCounts(admin.SimpleListFilter):
    title = "whether it counts now"
    parameter_name = "counts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Counts"), ("later", "Later"), ("no", "Over, used up or switched off")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[DiscountCode]
    ) -> QuerySet[DiscountCode]:
        now = timezone.now()
        over = Q(is_active=False) | Q(ends_at__lte=now) | Q(uses__gte=F("max_uses"))
        later = Q(starts_at__gt=now)
        match self.value():
            case "yes":
                return queryset.exclude(over).exclude(later)
            case "later":
                return queryset.filter(later).exclude(over)
            case "no":
                return queryset.filter(over)
        return queryset


@admin.register(DiscountUse)
class DiscountUseAdmin(admin.ModelAdmin):
    """Which orders have a code. A list of its own: a popular code has thousands, more than a form may."""

    list_display = ["order", "email", "code", "is_given_back"]
    list_select_related = ["order", "code"]
    list_filter = ["is_given_back"]
    search_fields = ["code__code", "email", "order__reference"]
    ordering = ["-pk"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        return lookup == "code__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(DiscountCode)
class DiscountCodeAdmin(admin.ModelAdmin):
    list_display = ["code", "takes_off", "used", "starts_at", "ends_at", "is_active"]
    list_filter = [WhetherItCounts, "kind", "is_active", "includes_sale_items"]
    search_fields = ["code"]
    date_hierarchy = "created_at"
    readonly_fields = ["used", "its_orders"]
    actions = ["switch_off"]
    fieldsets = [
        (None, {"fields": ["code", "kind", "value", "is_active", "used", "its_orders"]}),
        ("When", {"fields": ["starts_at", "ends_at"]}),
        ("For whom and what", {"fields": [
            "min_subtotal", "max_uses", "max_uses_per_customer", "includes_sale_items",
        ]}),
    ]  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: DiscountCode | None = None) -> bool:
        """A code that an order has is switched off, and not deleted."""
        is_used = obj is not None and obj.used_by.exists()
        return not is_used and super().has_delete_permission(request, obj)

    @admin.display(description="takes off")
    def takes_off(self, code: DiscountCode) -> str:
        match code.kind:
            case Kind.PERCENT:
                return percent(code.value)
            case Kind.AMOUNT:
                return money(code.value)
        return "delivery"

    @admin.display(description="used", ordering="uses")
    def used(self, code: DiscountCode) -> str:
        return f"{code.uses} of {code.max_uses}" if code.max_uses is not None else f"{code.uses}"

    @admin.display(description="orders that have it")
    def its_orders(self, code: DiscountCode) -> str:
        if code.pk is None:
            return "-"
        url = reverse("admin:shop_discountuse_changelist")
        return format_html('<a href="{}?code__id__exact={}">Look at them</a>', url, code.pk)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, codes: QuerySet[DiscountCode]) -> None:
        switched = list(codes.filter(is_active=True))
        changed = codes.filter(is_active=True).update(is_active=False)
        for code in switched:
            self.log_change(request, code, "Switched off.")
        self.message_user(request, f"Switched off {changed}.")
