"""Admissions: a served ticket is traded for a short time inside, counted against the sale's cap.

It is given back by the last unit of the limit (`scripts/claim.lua`), by a definite no, by leaving, by closing the page,
by a pause or the end of the sale, and by its time; whoever gave it back keeps the place in line.

When Redis is away: nobody is let in (`redis.RedisError` reaches the caller); those who are in keep a signed
admission that needs no Redis to be read.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from flashsale import gate, line, line_document, store, waits
from flashsale.gate import milliseconds
from flashsale.keys import Name, key
from flashsale.purchases import recount
from flashsale.sales import Phase, SaleInfo, Strategy, phase_by_clock
from flashsale.tickets import Ticket, sign_admission
from inventory import holdings, reservations

#: What `scripts/admit.lua` looks at and changes.
ADMIT_KEYS: tuple[Name, ...] = ("active", "entered", "gate", "waits", "away", "came", "takers")
#: Seconds after which somebody who was sent away is asked to come again.
RETRY_SECONDS = 2
#: Seconds for which the place of somebody who closed the page is kept: enough for a reload on a slow connection.
GRACE_SECONDS = 20
#: Seconds after the click at the most that an admission lasts because its shopper is at the checkout.
CHECKOUT_SECONDS = 900
#: Seconds at the most that somebody far behind in the line is asked to wait before asking again.
LONGEST_RETRY_SECONDS = 60


class NoEntry(StrEnum):
    TOO_EARLY = "too_early"
    FULL = "full"
    ALL_HELD = "all_held"
    NOT_OPEN = "not_open"
    SOLD_OUT = "sold_out"
    LIMIT_REACHED = "limit_reached"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Admitted:
    admission: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SentAway:
    reason: NoEntry
    retry_seconds: int


def enter(sale: SaleInfo, *, shopper: UUID, ticket: Ticket, now: datetime) -> Admitted | SentAway:
    """Trade a ticket for an admission. The place is worked out here; what the browser says is no matter."""
    if phase_by_clock(sale, now=now) is not Phase.OPEN:
        return SentAway(NoEntry.NOT_OPEN, RETRY_SECONDS)
    document = line_document.published(sale, now=now).value
    if document["phase"] == Phase.SOLD_OUT:
        return SentAway(NoEntry.SOLD_OUT, RETRY_SECONDS)
    where = line.position(sale, ticket=ticket, shopper=shopper, document=document, now=now)
    if not where.is_served:
        # At the most a second for each one ahead: who is near the front must not sleep through their turn,
        # because those before them may be quicker than the wait that is told.
        retry = max(where.ahead or 0, RETRY_SECONDS)
        if where.wait_seconds is not None:
            retry = min(retry, max(1, int(where.wait_seconds)))
        return SentAway(NoEntry.TOO_EARLY, min(retry, LONGEST_RETRY_SECONDS))
    if sale.strategy != Strategy.REDIS and _has_their_share(sale, shopper):
        return SentAway(NoEntry.LIMIT_REACHED, RETRY_SECONDS)
    outcome, ends_ms = _admit(sale, shopper, ticket, now=now)
    if (outcome == NoEntry.LOST and gate.sync(sale, now=now)) or (
        outcome == NoEntry.LIMIT_REACHED and recount(sale, shopper)
    ):
        # Redis had lost the gate, or what they had taken came back.
        outcome, ends_ms = _admit(sale, shopper, ticket, now=now)
    if outcome not in ("admitted", "again"):
        return SentAway(NoEntry(outcome), RETRY_SECONDS)
    return _sign(sale, shopper, ends_ms)


def _has_their_share(sale: SaleInfo, shopper: UUID) -> bool:
    """Whether the limit is reached by what PostgreSQL knows, for a sale whose claims do not pass the gate."""
    scope, holder = sale.scope, str(shopper)
    if holdings.units_of(scope=scope, holder=holder) < sale.limit:
        return False
    reservations.expire(
        stock_ids=sale.stock_ids
    )  # a hold that has ended counts until somebody tidies it away
    return holdings.units_of(scope=scope, holder=holder) >= sale.limit


def _admit(sale: SaleInfo, shopper: UUID, ticket: Ticket, *, now: datetime) -> tuple[str, str]:
    """What the script says, and when the admission ends (ms)."""
    waited = waits.seconds_waited(sale, joined_at=ticket.joined_at, now=now)
    outcome, ends_ms = store.run(
        "admit",
        keys=[key(sale.id, name) for name in ADMIT_KEYS],
        args=[
            milliseconds(now),
            milliseconds(now + timedelta(seconds=sale.admission_seconds)),
            str(shopper),
            sale.admission_cap,
            int(waited * 1000),
            waits.bucket_of(waited),
            *(f"free:{item.id}" for item in sale.items),
        ],
    )
    return outcome, ends_ms


def _sign(sale: SaleInfo, shopper: UUID, ends_ms: str) -> Admitted:
    expires_at = datetime.fromtimestamp(int(ends_ms) // 1000, tz=UTC)
    return Admitted(
        admission=sign_admission(sale_id=sale.id, shopper=shopper, expires_at=expires_at),
        expires_at=expires_at,
    )


def is_inside(sale: SaleInfo, *, shopper: UUID, now: datetime) -> bool:
    """Whether a shopper who was let in is still inside: they may have left, bought, or run out of time."""
    ends = store.client().zscore(key(sale.id, "active"), str(shopper))
    return ends is not None and ends > milliseconds(now)


def stay(sale: SaleInfo, *, shopper: UUID, now: datetime) -> bool:
    """Whether a shopper who shows a signed admission is still inside; to be seen ends the grace of a closed page."""
    return _stay(sale, shopper, now=now) != "0"


def stay_at_checkout(
    sale: SaleInfo, *, shopper: UUID, claimed_at: datetime, hold_ends: datetime, now: datetime
) -> Admitted | None:
    """Let an admission last as long as the hold that its shopper pays for, or `CHECKOUT_SECONDS` after the click.

    Returns:
        The admission with its new end; None when they are not inside, as after the last unit of the limit.
    """
    ends = min(hold_ends, claimed_at + timedelta(seconds=CHECKOUT_SECONDS))
    ends_ms = _stay(sale, shopper, now=now, least=ends)
    return None if ends_ms == "0" else _sign(sale, shopper, ends_ms)


def _stay(sale: SaleInfo, shopper: UUID, *, now: datetime, least: datetime | None = None) -> str:
    ends_ms: str = store.run(
        "stay",
        keys=[key(sale.id, "active"), key(sale.id, "away")],
        args=[str(shopper), milliseconds(now), milliseconds(least) if least else 0],
    )
    return ends_ms


def close_page(sale: SaleInfo, *, shopper: UUID, now: datetime) -> None:
    """The browser closed the page: the place inside ends after a grace, unless the shopper is seen again."""
    store.run(
        "away",
        keys=[key(sale.id, "active"), key(sale.id, "away")],
        args=[str(shopper), milliseconds(now + timedelta(seconds=GRACE_SECONDS))],
    )


def leave(sale: SaleInfo, *, shopper: UUID) -> None:
    """Give the place inside back."""
    store.client().zrem(key(sale.id, "active"), str(shopper))


def leave_if_done(sale: SaleInfo, *, shopper: UUID) -> None:
    """Give the place of somebody who was refused back, if no unit is free or they have all that they may have."""
    store.run(
        "done",
        keys=[key(sale.id, name) for name in ("active", "gate", "takers")],
        args=[str(shopper)],
    )


def let_all_out(sale: SaleInfo) -> None:
    """The sale was paused or is over: nobody is inside any more."""
    store.client().delete(key(sale.id, "active"), key(sale.id, "away"))
