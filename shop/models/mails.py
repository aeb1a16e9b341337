"""Mails that have to go out."""

from django.db import models
from django.db.models import Q

from shop.models.orders import Order


class OutgoingMail(models.Model):
    """One mail: written down with what it is about, in the same transaction, and sent after it.

    `key` names the event that it follows from, so one event has one mail.
    """

    key = models.CharField(max_length=100, unique=True)
    template = models.CharField(max_length=60, help_text="The name of its files in emails/.")
    to = models.EmailField()
    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, null=True, blank=True, related_name="mails"
    )
    language = models.CharField(
        max_length=10, blank=True, help_text="Empty: that of its order, or the shop's own."
    )
    context = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(
        help_text="When it is tried next; whoever sends it moves this on."
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["due_at"], name="mail_unsent", condition=Q(sent_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.to}"
