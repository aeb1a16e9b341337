import django.core.validators
from django.db import migrations, models


#: A column that a trigger names cannot change its type: the trigger of 0003 is made anew around it.
WITHOUT = "DROP TRIGGER shop_prices_are_recorded ON shop_variant;"
WITH = """
CREATE TRIGGER shop_prices_are_recorded
    AFTER INSERT OR UPDATE OF price ON shop_variant
    FOR EACH ROW EXECUTE FUNCTION shop_record_price();
"""

KEEP_RECIPIENTS = """
UPDATE shop_invoice SET recipient = array_to_string(ARRAY[
        nullif(placed.recipient, ''), nullif(placed.street, ''), nullif(placed.street2, ''),
        nullif(trim(concat_ws(' ', placed.postcode, placed.city)), '')
    ], E'\n')
    FROM shop_order placed WHERE placed.id = shop_invoice.order_id;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0010_words_know_their_best_products'),
    ]

    operations = [
        migrations.RunSQL(WITHOUT, WITH),
        migrations.AddField(
            model_name='paymentintent',
            name='ask_refunds_at',
            field=models.DateTimeField(blank=True, help_text='When the provider is asked what it gave back, if it is to be.', null=True),
        ),
        migrations.AddField(
            model_name='paymentintent',
            name='given_back',
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=18, null=True, verbose_name='given back, says the provider'),
        ),
        migrations.AddField(
            model_name='returnline',
            name='refunded_before',
            field=models.PositiveIntegerField(default=0, help_text='Units of the line that were refunded when the return was asked for.'),
        ),
        migrations.AlterField(
            model_name='cartline',
            name='known_price',
            field=models.DecimalField(decimal_places=2, editable=False, help_text='The price that the shopper was told last.', max_digits=12, null=True),
        ),
        migrations.AlterField(
            model_name='demoauthorisation',
            name='amount',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='demorefund',
            name='amount',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='discountcode',
            name='min_subtotal',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18, verbose_name='for goods of at least'),
        ),
        migrations.AlterField(
            model_name='discountcode',
            name='value',
            field=models.DecimalField(decimal_places=2, default=0, help_text="Percent, or an amount in the shop's currency; nothing for free delivery.", max_digits=12, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='lineitem',
            name='discount',
            field=models.DecimalField(decimal_places=2, default=0, help_text="Its share of the order's discount.", max_digits=18),
        ),
        migrations.AlterField(
            model_name='lineitem',
            name='tax',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18),
        ),
        migrations.AlterField(
            model_name='lineitem',
            name='unit_price',
            field=models.DecimalField(decimal_places=2, max_digits=12),
        ),
        migrations.AlterField(
            model_name='order',
            name='discount',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18),
        ),
        migrations.AlterField(
            model_name='order',
            name='shipping',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18),
        ),
        migrations.AlterField(
            model_name='order',
            name='subtotal',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='order',
            name='tax',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18),
        ),
        migrations.AlterField(
            model_name='order',
            name='total',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='paymentintent',
            name='amount',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='pricerecord',
            name='price',
            field=models.DecimalField(decimal_places=2, max_digits=12),
        ),
        migrations.AlterField(
            model_name='product',
            name='price_from',
            field=models.DecimalField(decimal_places=2, editable=False, max_digits=12, null=True),
        ),
        migrations.AlterField(
            model_name='refund',
            name='amount',
            field=models.DecimalField(decimal_places=2, max_digits=18),
        ),
        migrations.AlterField(
            model_name='refund',
            name='shipping',
            field=models.DecimalField(decimal_places=2, default=0, help_text='The part of it that is for delivery.', max_digits=18),
        ),
        migrations.AlterField(
            model_name='refundline',
            name='amount',
            field=models.DecimalField(decimal_places=2, default=0, help_text='What these units cost.', max_digits=18),
        ),
        migrations.AlterField(
            model_name='shippingrate',
            name='min_subtotal',
            field=models.DecimalField(decimal_places=2, default=0, max_digits=18, verbose_name='for goods of at least'),
        ),
        migrations.AlterField(
            model_name='shippingrate',
            name='price',
            field=models.DecimalField(decimal_places=2, max_digits=12, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='variant',
            name='compare_at_price',
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True),
        ),
        migrations.AlterField(
            model_name='variant',
            name='price',
            field=models.DecimalField(decimal_places=2, help_text='Tax included.', max_digits=12, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AddIndex(
            model_name='paymentintent',
            index=models.Index(condition=models.Q(('ask_refunds_at__isnull', False)), fields=['ask_refunds_at'], name='payment_intent_ask_refunds'),
        ),
        migrations.RunSQL(WITH, WITHOUT),
        migrations.AddField(
            model_name="invoice",
            name="recipient",
            field=models.TextField(
                default="",
                help_text="Name and address but for the country, as they were that day.",
            ),
        ),
        migrations.RunSQL(KEEP_RECIPIENTS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="refund",
            name="is_for_goods",
            field=models.BooleanField(
                default=True,
                help_text="Whether it gives back what paid the order; not a payment that came besides, or too late.",
            ),
        ),
        migrations.AddField(
            model_name='orderevent',
            name='text',
            field=models.CharField(blank=True, help_text='What is translated, where there are values in it.', max_length=300),
        ),
        migrations.AddField(
            model_name='orderevent',
            name='values',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='outgoingmail',
            name='language',
            field=models.CharField(blank=True, help_text="Empty: that of its order, or the shop's own.", max_length=10),
        ),
        migrations.AddField(
            model_name='stockalert',
            name='language',
            field=models.CharField(blank=True, editable=False, help_text='What they asked in.', max_length=10),
        ),
        migrations.AddField(
            model_name='user',
            name='language',
            field=models.CharField(blank=True, editable=False, help_text='What they read the shop in last.', max_length=10),
        ),
        migrations.AlterField(
            model_name='orderevent',
            name='message',
            field=models.CharField(help_text='In English, as staff read it.', max_length=300),
        ),
    ]
