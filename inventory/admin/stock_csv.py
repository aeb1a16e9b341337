"""Stock as a table: what there is, and changes of it, each with its movement.

A file says by how much a count changes and not what it is: units are sold while somebody fills the file in.
"""

from typing import Any

from import_export import fields, resources

from inventory import stock
from inventory.models import Stock


class StockResource(resources.ModelResource):
    """What is exported can be filled in (`change`, `reason`) and imported; rows without a change are left alone."""

    on_hand = fields.Field(attribute="on_hand", readonly=True)
    allocated = fields.Field(attribute="allocated", readonly=True)
    available = fields.Field(attribute="available", readonly=True)
    change = fields.Field(readonly=True)
    reason = fields.Field(readonly=True)

    class Meta:
        model = Stock
        import_id_fields = ["sku", "pool"]
        fields = ["sku", "pool", "on_hand", "allocated", "available", "change", "reason"]
        skip_unchanged = False
        use_transactions = True

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """A delivery's list needs no pools: units arrive in the main one."""
        if "pool" not in dataset.headers:
            dataset.append_col(lambda row: Stock.MAIN, header="pool")

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        row["pool"] = row["pool"] or Stock.MAIN
        change = str(row.get("change") or "0").strip()
        try:
            row["change"] = int(change)
        except ValueError as error:
            raise ValueError(
                f"A change is a whole number like 12 or -3, and not {change!r}."
            ) from error
        if not Stock.objects.filter(sku=row.get("sku"), pool=row["pool"]).exists():
            raise ValueError(
                f"There is no stock of {row.get('sku')!r} in the pool {row['pool']!r}."
            )
        if row["pool"] != Stock.MAIN and row["change"]:
            raise ValueError("Units of a sale are changed on the sale's page.")

    def skip_row(
        self,
        instance: Stock,
        original: Stock,
        row: dict[str, Any],
        import_validation_errors: Any = None,
    ) -> bool:
        return not row["change"]

    def save_instance(
        self, instance: Stock, is_create: bool, row: dict[str, Any], **kwargs: Any
    ) -> None:
        """Never written directly: units arrive or are corrected, and the movement says why and by whom.

        Raises:
            stock.NotEnoughStock: fewer units would be there than are promised; nothing of the file counts.
        """
        actor = kwargs["user"].email
        reason = str(row.get("reason") or "from a file")[:200]
        if row["change"] > 0:
            stock.receive(sku=instance.sku, quantity=row["change"], reason=reason, actor=actor)
        else:
            stock.adjust(sku=instance.sku, change=row["change"], reason=reason, actor=actor)
