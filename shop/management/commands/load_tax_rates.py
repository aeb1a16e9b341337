from typing import Any

from django.core.management.base import BaseCommand

from shop import taxes


class Command(BaseCommand):
    help = (
        "Add the VAT and GST rates of shop/data/tax_rates.csv for every country that has none yet. "
        "Rates that you entered or changed stay as they are; look at each before you sell there."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        added = taxes.load_table()
        countries = len({rate.country for rate in added})
        self.stdout.write(
            f"Added {len(added)} rates of {countries} countries, as they stood on {taxes.as_of()}."
        )
