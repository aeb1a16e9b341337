"""What is published of a draw, and how anybody can check it.

The commitment is public from the scheduling on, the seed and the number of entrants from the opening on; nothing
here tells either of them earlier, to nobody. Read from PostgreSQL alone, so it does not matter whether Redis is there.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flashsale.models import LineState
from flashsale.sales import QueueMode, SaleInfo

#: The script that strangers run; it imports nothing of ours.
SCRIPT = Path(__file__).parent / "published" / "check_place.py"


class NoDraw(Exception):
    """The sale has no draw: it is a draft, or its line goes by who comes first, or it has no line."""


@dataclass(frozen=True, slots=True)
class Draw:
    """`seed` is None until the opening, `entrants` until the first run of the controller after it."""

    commitment: str
    opens_at: datetime
    seed: str | None
    entrants: int | None
    joined: int


def published(sale: SaleInfo, *, now: datetime) -> Draw:
    """What the shop tells about a sale's draw at the moment `now`.

    Raises:
        NoDraw: see there.
    """
    if sale.queue_mode != QueueMode.DRAW or not sale.seed_commitment:
        raise NoDraw(sale.slug)
    state = LineState.objects.filter(sale_id=sale.id).first()
    is_public = now >= sale.opens_at
    return Draw(
        commitment=sale.seed_commitment,
        opens_at=sale.opens_at,
        seed=sale.seed if is_public else None,
        entrants=state.draw_size if state and is_public else None,
        joined=state.entrants if state else 0,
    )


def script() -> str:
    """The published script, as it is sent to those who ask for it."""
    return SCRIPT.read_text()
