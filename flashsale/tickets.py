"""Tickets and admissions: signed values that the browser keeps, bound to one sale and one shopper."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

from django.core import signing

from flashsale.signatures import QuickSigner


class NotValid(Exception):
    """It was not signed by us, or is for another sale or another shopper, or its time is over."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in line. `number` is None for those who take part in the draw.

    `joined_at` is when the ticket was first signed, in seconds since the epoch; it says how long somebody waited and
    decides nothing, so tickets of one place are equal.
    """

    number: int | None
    joined_at: int = field(default=0, compare=False)

    @property
    def is_draw(self) -> bool:
        return self.number is None


@cache
def _signer(salt: str) -> QuickSigner:
    return QuickSigner(salt=f"holdfast.{salt}")


def sign_ticket(ticket: Ticket, *, sale_id: int, shopper: UUID) -> str:
    number = "draw" if ticket.number is None else ticket.number
    return _signer("ticket").sign(f"{sale_id}:{shopper}:{number}:{ticket.joined_at}")


def read_ticket(value: str, *, sale_id: int, shopper: UUID) -> Ticket:
    """Raises: NotValid."""
    number, *joined_at = _read("ticket", value, sale_id=sale_id, shopper=shopper)
    return Ticket(
        number=None if number == "draw" else int(number),
        # Tickets of before there was a time in them prove a place all the same.
        joined_at=int(joined_at[0]) if joined_at else 0,
    )


def sign_admission(*, sale_id: int, shopper: UUID, expires_at: datetime) -> str:
    return _signer("admission").sign(f"{sale_id}:{shopper}:{int(expires_at.timestamp())}")


def read_admission(value: str, *, sale_id: int, shopper: UUID, now: datetime) -> datetime:
    """When the admission ends. Raises: NotValid."""
    ends, *more = _read("admission", value, sale_id=sale_id, shopper=shopper)
    if more:
        raise NotValid
    expires_at = datetime.fromtimestamp(int(ends), tz=UTC)
    if now >= expires_at:
        raise NotValid
    return expires_at


def _read(salt: str, value: str, *, sale_id: int, shopper: UUID) -> list[str]:
    """What a signed value says besides its sale and shopper."""
    try:
        sale, holder, first, *more = _signer(salt).unsign(value).split(":")
    except (signing.BadSignature, ValueError) as error:
        raise NotValid from error
    if (sale, holder) != (str(sale_id), str(shopper)):
        raise NotValid
    return [first, *more]
