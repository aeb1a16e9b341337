"""Telling the people who run the shop that something is wrong with its books."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

log = logging.getLogger(__name__)


def alert(*, subject: str, body: str) -> None:
    """Log at ERROR, and write to everybody in `settings.ALERT_EMAILS`.

    A mail server that does not take the mail fails nothing: that is logged too, and the figure in /metrics stands.
    """
    subject = " ".join(subject.split())
    log.error("%s\n%s", subject, body)
    if not settings.ALERT_EMAILS:
        return
    try:
        send_mail(
            subject=f"{settings.SHOP_NAME}: {subject}",
            message=body,
            from_email=settings.SERVER_EMAIL,
            recipient_list=settings.ALERT_EMAILS,
        )
    except (OSError, SMTPException):
        log.exception("The alert was not mailed: %s", subject)
