from django.apps import AppConfig


class FlashsaleConfig(AppConfig):
    name = "flashsale"
    verbose_name = "Flash sales"

    def ready(self) -> None:
        # Registers itself with drf-spectacular, which looks nowhere by itself.
        from flashsale import schema  # noqa: F401, PLC0415
