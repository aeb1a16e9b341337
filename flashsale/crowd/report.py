"""What the crowd saw, counted."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Report:
    """What the crowd saw. Times are lists of seconds."""

    shoppers: int
    joined: int = 0
    admitted: int = 0
    claimed: int = 0
    held: int = 0
    paid: int = 0
    released: int = 0
    expired: int = 0
    walked_away: int = 0
    left_impatient: int = 0
    declined: int = 0
    finished: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    buy_to_held: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The summary, for people."""
        refused = ", ".join(f"{count} {why}" for why, count in sorted(self.refused.items()))
        errors = ", ".join(f"{count} × {kind}" for kind, count in self.errors.most_common())
        return [
            f"shoppers    {self.shoppers}: {self.joined} joined the line, {self.admitted} let in",
            f"bought      {self.held} times held, {self.paid} paid",
            f"came back   {self.released} let go, {self.expired} expired unpaid"
            f" ({self.walked_away} walked away, {self.declined} cards declined)",
            f"refused     {refused or 'nobody'}; {self.left_impatient} did not want to wait longer",
            f"waited      {_told(self.waits, 0.95)}",
            f"buy to held {_told(self.buy_to_held, 0.99)}",
            f"errors      {errors or 'none'}",
        ]

    def progress(self) -> str:
        """One line for the way."""
        parts = {
            "joined": self.joined,
            "let in": self.admitted,
            "held": self.held,
            "paid": self.paid,
            "came back": self.released + self.expired,
            "refused": self.refused.total(),
            "errors": self.errors.total(),
            "done": self.finished,
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items())


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all values do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def _told(times: Sequence[float], share: float) -> str:
    """A distribution of seconds in words: its middle, and what `share` of all do not exceed."""
    median, most = quantile(times, 0.5), quantile(times, share)
    if median is None or most is None:
        return "nobody"
    return f"{median:.1f} s in the middle, {share:.0%} at most {most:.1f} s"
