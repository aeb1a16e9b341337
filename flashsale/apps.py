from django.apps import AppConfig
from django.core import checks


class FlashsaleConfig(AppConfig):
    name = "flashsale"
    verbose_name = "Flash sales"

    def ready(self) -> None:
        # Registers itself with drf-spectacular, which looks nowhere by itself.
        from flashsale import challenges, schema  # noqa: F401, PLC0415

        checks.register(challenges.check_setting)
