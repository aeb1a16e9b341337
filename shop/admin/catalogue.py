"""Categories, and products with their variants and pictures."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from inventory import stock
from inventory.admin.tables import TableMixin
from shop import pages, pictures
from shop.admin.csv_resources import ProductResource, VariantResource
from shop.models import Category, Product, ProductImage, Variant


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug", "position"]
    list_editable = ["position"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


class VariantForm(forms.ModelForm):
    """Its SKU is what stock, sales and past orders know a variant by: once it is there, it stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sku"].disabled = self.instance.pk is not None


class VariantInline(admin.TabularInline):
    model = Variant
    form = VariantForm
    extra = 0
    fields = [
        "sku",
        "name",
        "price",
        "compare_at_price",
        "weight_grams",
        "free_units",
        "position",
        "is_active",
    ]
    readonly_fields = ["free_units"]

    @admin.display(description="free units")
    def free_units(self, variant: Variant) -> int | str:
        return stock.available(skus=[variant.sku])[variant.sku] if variant.pk else "—"


class ProductImageInline(admin.TabularInline):
    model = ProductImage
    extra = 0
    fields = ["preview", "file", "alt", "variant", "position"]
    readonly_fields = ["preview"]

    def get_formset(
        self, request: HttpRequest, obj: Product | None = None, **kwargs: Any
    ) -> type[forms.BaseInlineFormSet]:
        """A picture shows a variant of its own product, so no other is offered."""
        formset = super().get_formset(request, obj, **kwargs)
        choices = Variant.objects.filter(product=obj).select_related("product")
        cast("forms.ModelChoiceField", formset.form.base_fields["variant"]).queryset = choices
        return formset

    @admin.display(description="picture")
    def preview(self, image: ProductImage) -> str:
        if not image.pk:
            return "—"
        url = pictures.rendition_url(file=image.file, width=400)
        return format_html('<img src="{}" width="80" height="80" alt="">', url)


@admin.register(Product)
class ProductAdmin(TableMixin, admin.ModelAdmin):
    resource_classes = [ProductResource]
    list_display = ["name", "category", "is_published", "created_at"]
    list_filter = ["category", "is_published"]
    list_select_related = ["category"]
    search_fields = ["name", "summary", "variants__sku"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [VariantInline, ProductImageInline]
    actions = ["publish", "withdraw"]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        for sku in form.instance.variants.values_list("sku", flat=True):
            stock.receive(sku=sku, quantity=0)  # the stock row, where a merchant receives units

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        changed = products.filter(is_published=False).update(is_published=True)
        pages.forget_all()
        self.message_user(request, f"Published {changed}.", messages.SUCCESS)

    @admin.action(description="Withdraw from the shop", permissions=["change"])
    def withdraw(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        changed = products.filter(is_published=True).update(is_published=False)
        pages.forget_all()
        self.message_user(request, f"Withdrew {changed}.", messages.SUCCESS)


@admin.register(Variant)
class VariantAdmin(TableMixin, admin.ModelAdmin):
    """To look variants up by SKU, and to import them; by hand they are edited with their product."""

    resource_classes = [VariantResource]
    list_display = ["sku", "full_name", "price", "is_active"]
    list_select_related = ["product"]
    search_fields = ["sku", "name", "product__name"]
