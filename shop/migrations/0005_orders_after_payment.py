import django.db.models.functions.datetime
from django.db import migrations, models

#: What the timeline said about mails goes over to the outbox; what was not sent yet is due there.
MAILS_TO_THE_OUTBOX = """
INSERT INTO shop_outgoingmail
    (key, template, "to", order_id, context, created_at, due_at, sent_at, tries, error)
SELECT 'order-event:' || event.id, mail.template, placed.email, placed.id, '{}', event.created_at, now(),
    (SELECT min(created_at) FROM shop_orderevent sent
     WHERE sent.order_id = event.order_id AND sent.kind = 'email:' || mail.template),
    0, ''
FROM shop_orderevent event
JOIN shop_order placed ON placed.id = event.order_id
JOIN (VALUES ('placed', 'order_received'), ('paid', 'order_paid'), ('fulfilled', 'order_shipped'),
    ('expired', 'order_expired'), ('cancelled', 'order_cancelled'), ('refunded', 'order_refunded'),
    ('payment_returned', 'late_payment_returned')) AS mail (kind, template) USING (kind);
DELETE FROM shop_orderevent WHERE kind LIKE 'email:%' OR kind LIKE 'email-claim:%';
"""

#: A refund of a whole payment was known by the payment's state alone, and by its id at the provider.
REFUNDS_TO_THEIR_ROWS = """
INSERT INTO shop_refund (id, order_id, intent_id, amount, shipping, currency, state, reason, actor, tries,
    error, done_at, created_at, updated_at)
SELECT payment.id, payment.order_id, payment.id, payment.amount, placed.shipping, payment.currency,
    CASE payment.state WHEN 'refunded' THEN 'done' ELSE 'pending' END, '', '', 0,
    '', CASE payment.state WHEN 'refunded' THEN payment.updated_at END, payment.updated_at, now()
FROM shop_paymentintent payment JOIN shop_order placed ON placed.id = payment.order_id
WHERE payment.state IN ('refunding', 'refunded');
"""


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0004_payment_events_are_tried_again'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='refund',
            name='refund_pending',
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller',
            field=models.TextField(default='', help_text='Name, address and tax number, as they were that day.'),
        ),
        migrations.AddField(
            model_name='refund',
            name='done_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='refund',
            name='due_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When the provider is asked next.'),
        ),
        migrations.AddField(
            model_name='refund',
            name='error',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='refund',
            name='shipping',
            field=models.DecimalField(decimal_places=2, default=0, help_text='The part of it that is for delivery.', max_digits=10),
        ),
        migrations.AddField(
            model_name='refund',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0, help_text='Calls that the provider did not answer.'),
        ),
        migrations.AddField(
            model_name='refundline',
            name='amount',
            field=models.DecimalField(decimal_places=2, default=0, help_text='What these units cost.', max_digits=10),
        ),
        migrations.AddField(
            model_name='return',
            name='answer',
            field=models.CharField(blank=True, help_text='Why it was refused.', max_length=300),
        ),
        migrations.AlterField(
            model_name='refund',
            name='state',
            field=models.CharField(choices=[('pending', 'To be given back'), ('done', 'Given back'), ('refused', 'Refused by the provider'), ('replaced', 'Refused, and tried again as another')], default='pending', max_length=10),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(condition=models.Q(('state', 'pending')), fields=['due_at'], name='refund_pending'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('shipping__gte', 0), ('shipping__lte', models.F('amount'))), name='refund_shipping_within_amount'),
        ),
        migrations.RunSQL(MAILS_TO_THE_OUTBOX, migrations.RunSQL.noop),
        migrations.RunSQL(REFUNDS_TO_THEIR_ROWS, migrations.RunSQL.noop),
    ]
