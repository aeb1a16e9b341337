"""Who shops and who works here."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField


class AccountManager(UserManager["User"]):
    """Creates accounts by email; there are no user names."""

    def _create(self, email: str, password: str | None, **fields: Any) -> "User":
        if not email:
            raise ValueError("An account needs an email address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(  # type: ignore[override]  # the login is an email address
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self._create(email, password, **fields)

    def create_superuser(  # type: ignore[override]  # the login is an email address
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self._create(email, password, **{"is_staff": True, "is_superuser": True} | fields)


class User(AbstractUser):
    """An account. `shopper_id` is the name by which lines, draws and claims know the shopper."""

    username = None  # type: ignore[assignment]  # the login is an email address
    first_name = None  # type: ignore[assignment]  # one name, as the person writes it
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)
    name = models.CharField(max_length=150, blank=True)
    shopper_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    language = models.CharField(
        max_length=10, blank=True, editable=False, help_text="What they read the shop in last."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_whatever_its_case")
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    def get_public_name(self) -> str:
        """What strangers read: the first of the names, and never a part of the address."""
        return self.name.partition(" ")[0] or gettext("A customer")


class PostalAddress(models.Model):
    """The fields of a postal address, for the address book and for an order's own copy."""

    recipient = models.CharField(_("name"), max_length=120)
    street = models.CharField(_("street and number"), max_length=200)
    street2 = models.CharField(_("flat, floor, company"), max_length=200, blank=True)
    postcode = models.CharField(max_length=20)
    city = models.CharField(max_length=100)
    country = CountryField()

    class Meta:
        abstract = True


class Address(PostalAddress):
    """An entry of a shopper's address book."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="addresses")
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-is_default", "-created_at"]
        verbose_name_plural = "addresses"

    def __str__(self) -> str:
        return f"{self.recipient}, {self.street}, {self.postcode} {self.city}"
