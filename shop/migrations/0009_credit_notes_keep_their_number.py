from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0008_orders_have_a_language'),
    ]

    operations = [
        migrations.AddField(
            model_name='refund',
            name='credit_number',
            field=models.PositiveIntegerField(blank=True, help_text='Of its credit note, after the number of the invoice.', null=True),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(fields=('order', 'credit_number'), name='refund_credit_number_once_per_order'),
        ),
    ]
