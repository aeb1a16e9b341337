"""The challenge at the door: whoever joins a line may be asked to show that they are a person.

The shop has none of its own. `LINE_CHALLENGE` names a callable that judges, such as one that asks a provider of
captchas; without it nothing is asked, and joining costs nothing more. A ticket proves that its shopper has joined, so
its bearer is not asked again.

This needs no Redis. Whether the door stands open while the provider is away is for the callable to decide: what it
raises reaches the client as an error, and nobody joins meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from flashsale.sales import SaleInfo

#: Characters of an answer. The longest known to us, of captcha providers, are about 2,000.
LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is to be solved.

    Attributes:
        kind: what clients know it by.
        template: what the page shows within its form; it has `challenge`, and a field named `answer`.
        content: what there is to solve, as JSON can say it.
    """

    kind: str
    template: str
    content: Mapping[str, Any] = field(default_factory=dict)


class Judge(Protocol):
    """What `LINE_CHALLENGE` names."""

    def __call__(self, *, sale: SaleInfo, shopper: UUID, answer: str) -> Challenge | None:
        """None: the answer is good, or this shopper is not asked. Else what is to be solved; `answer` may be ''."""


class ChallengeRequired(Exception):
    """Nothing was joined: `challenge` is to be solved first."""

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        super().__init__(challenge.kind)


def is_on() -> bool:
    """Whether whoever joins may be asked."""
    return bool(settings.LINE_CHALLENGE)


def pass_or_raise(*, sale: SaleInfo, shopper: UUID, answer: str) -> None:
    """Let a shopper join whose answer is good.

    Raises:
        ChallengeRequired: it is not, or there is none yet.
    """
    if not is_on():
        return
    challenge = cast(Judge, import_string(settings.LINE_CHALLENGE))(
        sale=sale, shopper=shopper, answer=answer
    )
    if challenge is not None:
        raise ChallengeRequired(challenge)


def check_setting(**more: Any) -> Sequence[CheckMessage]:
    """A system check: a wrong name must not wait for the first shopper who joins."""
    try:
        if not is_on() or callable(import_string(settings.LINE_CHALLENGE)):
            return []
        problem = "it cannot be called"
    except ImportError as error:
        problem = str(error)
    return [
        Error(f"LINE_CHALLENGE is {settings.LINE_CHALLENGE!r}: {problem}.", id="flashsale.E001")
    ]
