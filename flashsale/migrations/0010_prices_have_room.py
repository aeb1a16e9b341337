import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('flashsale', '0009_sale_hold_extension_seconds'),
    ]

    operations = [
        migrations.AlterField(
            model_name='purchase',
            name='unit_price',
            field=models.DecimalField(decimal_places=2, max_digits=12),
        ),
        migrations.AlterField(
            model_name='saleitem',
            name='price',
            field=models.DecimalField(decimal_places=2, help_text='Tax included.', max_digits=12, validators=[django.core.validators.MinValueValidator(0)]),
        ),
    ]
