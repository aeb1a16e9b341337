"""Answers that are given again to a repeated request."""

from django.db import models


class IdempotentAnswer(models.Model):
    """What was answered to a request with an `Idempotency-Key`; `status` is null while it is worked on."""

    scope = models.CharField(max_length=200, help_text="Who asked, and which address.")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request's body.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="idempotent_answer_unique")
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}: {self.status or 'at work'}"
