from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_delete, post_save


class ShopConfig(AppConfig):
    name = "shop"
    verbose_name = "Shop"

    def ready(self) -> None:
        """What is saved is seen at once: kept pages are forgotten with every row that they show.

        Whoever changes rows by `update` calls `pages.forget_all` as well.
        """
        from shop import pages, site_url  # noqa: PLC0415 -- needs the apps ready, as models do

        checks.register(site_url.check_setting, deploy=True)

        for name in (
            "Category",
            "Product",
            "ProductImage",
            "Review",
            "ShippingMethod",
            "ShippingRate",
            "Variant",
        ):
            for signal in (post_save, post_delete):
                signal.connect(pages.forget_all, sender=self.get_model(name), dispatch_uid=name)
