"""Who is in the crowd: accounts with a key to the API, and a personality each."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from django.contrib.auth.hashers import make_password
from rest_framework.authtoken.models import Token

from shop.models import User

#: People that one process can play on a small machine.
MOST_SHOPPERS = 5000


class Habit(StrEnum):
    """What somebody does with a unit that is held for them."""

    PAYS = "pays"
    PAYS_LATE = "pays late"
    PAYS_TWICE = "pays, reported three times"
    IS_DECLINED_ONCE = "is declined once, then pays"
    GIVES_UP = "is declined and gives up"
    WALKS_AWAY = "walks away"
    LETS_GO = "lets go"


#: How many of a hundred do what: about one unit in five comes back.
HABITS = {
    Habit.PAYS: 58,
    Habit.PAYS_LATE: 7,
    Habit.PAYS_TWICE: 7,
    Habit.IS_DECLINED_ONCE: 8,
    Habit.GIVES_UP: 5,
    Habit.WALKS_AWAY: 10,
    Habit.LETS_GO: 5,
}
#: The demo card that goes with a habit.
CARDS = {
    Habit.PAYS_LATE: "late",
    Habit.PAYS_TWICE: "duplicate",
    Habit.IS_DECLINED_ONCE: "decline",
    Habit.GIVES_UP: "decline",
}


@dataclass(frozen=True, slots=True)
class Personality:
    """How one shopper behaves.

    Attributes:
        comes_early: whether they come before the opening.
        arrival: 0 to 1, when within the time that they come in.
        patience: seconds that they stay without a unit once it is open and they are there.
        pause: seconds that they think before each click.
    """

    habit: Habit
    double_clicks: bool
    comes_early: bool
    arrival: float
    patience: float
    pause: float


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the crowd and its key to the API."""

    email: str
    key: str


def enlist(count: int) -> list[Member]:
    """The first `count` accounts of the crowd, made when they are new; they have no password."""
    emails = [f"crowd-{number:04}@crowd.invalid" for number in range(1, count + 1)]
    User.objects.bulk_create(
        (User(email=email, name="Crowd", password=make_password(None)) for email in emails),
        ignore_conflicts=True,
    )
    users = User.objects.filter(email__in=emails)
    Token.objects.bulk_create(
        (
            Token(user=user, key=Token.generate_key(), created=datetime.now(tz=UTC))
            for user in users.filter(auth_token=None)
        ),
        ignore_conflicts=True,
    )
    keys = Token.objects.filter(user__in=users).order_by("user__email")
    return [Member(email, key) for email, key in keys.values_list("user__email", "key")]


def imagine(*, seed: int, number: int) -> Personality:
    """The personality of a shopper: the same seed and number, the same person."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 -- people, not secrets
    return Personality(
        habit=chance.choices(list(HABITS), weights=list(HABITS.values()))[0],
        double_clicks=chance.random() < 0.15,
        comes_early=chance.random() < 0.8,
        arrival=chance.random(),
        patience=chance.uniform(60, 240),
        pause=chance.uniform(0.5, 5.0),
    )
