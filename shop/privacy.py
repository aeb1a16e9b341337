"""What a person may ask of us: all that we have about them, and to be forgotten.

Each room names its tables with a link to an account (`settings.PERSONAL_DATA`); a test walks every table there is
and fails when one is not named. An account that is deleted leaves an empty row behind: nobody can sign in to it, it
says nothing about anybody, and what must be kept (orders with their money, purchases under a sale's limit) still
agrees with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from shop.models import User


@dataclass(frozen=True, slots=True)
class Part:
    """One table's rows about a person.

    `keep` is None when they are deleted with the account, else what is written over them; `hidden` are fields that
    are not given out: secrets, and what says nothing about the person.
    """

    model: type[Model]
    find: Callable[[User], Q]
    keep: Mapping[str, Any] | None = None
    hidden: frozenset[str] = field(default_factory=frozenset)

    def rows(self, user: User) -> QuerySet[Any]:
        return self.model._default_manager.filter(self.find(user)).order_by("pk")


@dataclass(frozen=True, slots=True)
class Deleted:
    """Nothing is left of the person."""


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing was deleted, because of these."""

    reasons: Sequence[str]


def parts() -> list[Part]:
    return [part for room in _rooms() for part in room.PARTS]


def export(user: User) -> dict[str, Any]:
    """All that is kept about a person, by table, as JSON can say it."""
    return {
        part.model._meta.label_lower: [_as_dict(part, row) for row in part.rows(user)]
        for part in parts()
    }


def reasons_against(user: User) -> list[str]:
    """Why an account cannot be deleted now."""
    return [reason for room in _rooms() for reason in room.reasons_against(user)]


def delete(user: User) -> Deleted | NotNow:
    """Forget a person: delete their rows, write over those that must be kept, and close the account."""
    with transaction.atomic():
        # An order that is being placed holds the account's row; behind it, it is seen below.
        user = User.objects.select_for_update().get(pk=user.pk)
        reasons = reasons_against(user)
        if reasons:
            return NotNow(reasons)
        for part in parts():
            if part.keep is None:
                part.rows(user).delete()
            elif part.keep:
                part.rows(user).update(**part.keep)
        for room in _rooms():
            room.forget(user)
        user.email = f"{user.shopper_id.hex}@deleted.invalid"
        user.name = user.language = ""
        user.is_active = False
        user.last_login = None
        user.set_unusable_password()
        user.save()
        return Deleted()


def _rooms() -> list[Any]:
    return [import_module(name) for name in settings.PERSONAL_DATA]


def _as_dict(part: Part, row: Model) -> dict[str, Any]:
    fields = row._meta.concrete_fields
    return {
        field.name: _plain(field.value_from_object(row))
        for field in fields
        if field.name not in part.hidden
    }


def _plain(value: Any) -> Any:
    is_plain = value is None or isinstance(value, bool | int | float | str | list | dict)
    if is_plain:
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
