"""The shapes of the sale's part of the JSON API."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers

from flashsale.challenges import LONGEST_ANSWER
from flashsale.models import Sale
from flashsale.purchases import State
from flashsale.sales import Phase
from flashsale.standing import Standing
from shop.money import PRICE_DIGITS


class SaleItemSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    sku = serializers.CharField()
    name = serializers.CharField()
    price = serializers.DecimalField(max_digits=PRICE_DIGITS, decimal_places=2)
    compare_at_price = serializers.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=2, allow_null=True
    )
    currency = serializers.CharField()
    units_left = serializers.IntegerField()
    limit = serializers.IntegerField()


class SaleSerializer(serializers.Serializer[Any]):
    """A `Standing` as the API tells it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    phase = serializers.ChoiceField(choices=[p.value for p in Phase if p is not Phase.DRAFT])
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    lobby_opens_at = serializers.DateTimeField()
    queue_mode = serializers.ChoiceField(choices=Sale.QueueMode.choices)
    items = SaleItemSerializer(many=True)

    def to_representation(self, instance: Standing) -> dict[str, Any]:
        info, units = instance.info, instance.units
        return {
            "slug": info.slug,
            "name": info.name,
            "phase": instance.phase(now=timezone.now()),
            "opens_at": info.opens_at.isoformat(),
            "closes_at": info.closes_at.isoformat(),
            "lobby_opens_at": info.lobby_opens_at.isoformat(),
            "queue_mode": info.queue_mode,
            "items": [
                {
                    "id": item.id,
                    "sku": item.sku,
                    "name": item.name,
                    "price": str(item.price),
                    "compare_at_price": item.compare_at_price and str(item.compare_at_price),
                    "currency": settings.CURRENCY,
                    "units_left": units.left_by_item[item.id],
                    "limit": info.limit,
                }
                for item in info.items
            ],
        }


class ServingSerializer(serializers.Serializer[Any]):
    base = serializers.FloatField()
    rate = serializers.FloatField()
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(help_text="Past this the serving number stands still.")
    pace = serializers.FloatField(
        allow_null=True,
        help_text="Places a second in the longer run, to tell a wait by; null when nobody can say.",
    )


class LineSerializer(serializers.Serializer[Any]):
    phase = serializers.CharField()
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField()
    now = serializers.DateTimeField()
    seed_commitment = serializers.CharField()
    seed = serializers.CharField(allow_null=True)
    draw_size = serializers.IntegerField(allow_null=True)
    serving = ServingSerializer()
    waiting = serializers.IntegerField()
    units_left = serializers.IntegerField()
    units_held = serializers.IntegerField()


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    place = serializers.IntegerField(allow_null=True)
    ahead = serializers.IntegerField(allow_null=True)
    estimated_wait_seconds = serializers.FloatField(allow_null=True)


class JoinSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(
        required=False, max_length=300, help_text="A ticket you have, to keep its place."
    )
    answer = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=LONGEST_ANSWER,
        help_text="The answer to the challenge of a 403 `challenge_required`.",
    )


class EnterSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(max_length=300)


class AdmissionSerializer(serializers.Serializer[Any]):
    admission = serializers.CharField()
    expires_at = serializers.DateTimeField()


class BuySerializer(serializers.Serializer[Any]):
    admission = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=300
    )
    item = serializers.IntegerField(min_value=1, max_value=2**62)
    quantity = serializers.IntegerField(min_value=1, max_value=1000, default=1)


class AcceptedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField()
    url = serializers.CharField()


class PurchaseSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=[state.value for state in State])
    reason = serializers.CharField(allow_null=True)
    hold_expires_at = serializers.DateTimeField(allow_null=True)
    checkout_url = serializers.CharField(allow_null=True)
    order = serializers.CharField(allow_null=True)
    can_extend = serializers.BooleanField()
