"""Products, variants and orders as tables. A file counts as a whole: one bad row, and nothing of it is taken."""

from typing import Any

from import_export import fields, resources
from import_export.widgets import ForeignKeyWidget

from inventory import stock
from shop.models import Category, Order, Product, Variant


class ProductResource(resources.ModelResource):
    """A product is known by its slug."""

    category = fields.Field(
        attribute="category", column_name="category", widget=ForeignKeyWidget(Category, "slug")
    )

    class Meta:
        model = Product
        import_id_fields = ["slug"]
        fields = [
            "slug", "name", "category", "summary", "description", "details", "tax_class", "is_published",
        ]  # fmt: skip
        skip_unchanged = True
        clean_model_instances = True
        use_transactions = True


class VariantResource(resources.ModelResource):
    """A variant is known by its SKU. Its units come in by the stock's own file."""

    product = fields.Field(
        attribute="product", column_name="product", widget=ForeignKeyWidget(Product, "slug")
    )

    class Meta:
        model = Variant
        import_id_fields = ["sku"]
        fields = [
            "sku", "product", "name", "price", "compare_at_price", "weight_grams", "position", "is_active",
        ]  # fmt: skip
        skip_unchanged = True
        clean_model_instances = True
        use_transactions = True

    def after_save_instance(self, instance: Variant, row: Any, **kwargs: Any) -> None:
        stock.receive(sku=instance.sku, quantity=0)  # the stock row, where units are received


class OrderResource(resources.ModelResource):
    """For the books; orders change by their steps alone, so nothing is imported."""

    class Meta:
        model = Order
        fields = [
            "reference", "state", "placed_at", "paid_at", "fulfilled_at", "closed_at", "email",
            "recipient", "street", "street2", "postcode", "city", "country", "subtotal", "discount",
            "discount_code", "shipping", "shipping_method", "tax", "tax_name", "tax_is_included",
            "total", "currency",
        ]  # fmt: skip
        export_order = fields
