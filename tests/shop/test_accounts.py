import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from shop import accounts
from shop.models import Address, User
from tests.factories import make_user

ADDRESS = {
    "recipient": "Robin Vale",
    "street": "Kelp Lane 4",
    "postcode": "20095",
    "city": "Hamburg",
    "country": "DE",
}


def make_address(user: User, **fields: str | bool) -> Address:
    address = Address(**ADDRESS | fields)
    accounts.save_address(user=user, address=address)
    return address


def first_used(user: User) -> list[str]:
    return list(user.addresses.filter(is_default=True).values_list("street", flat=True))


def test_groups_get_exactly_what_the_settings_say(db: None, settings: Settings) -> None:
    settings.GROUPS = {"Merchants": ["shop.*_category"], "Staff": ["shop.view_category"]}
    accounts.ensure_groups()
    accounts.ensure_groups()
    codes = {
        group.name: sorted(group.permissions.values_list("codename", flat=True))
        for group in Group.objects.all()
    }
    assert codes == {
        "Merchants": ["add_category", "change_category", "delete_category", "view_category"],
        "Staff": ["view_category"],
    }


def test_a_group_s_permission_that_does_not_exist_is_an_error(db: None, settings: Settings) -> None:
    settings.GROUPS = {"Merchants": ["shop.sing_song"]}
    with (
        pytest.raises(ImproperlyConfigured, match=r"gives Merchants 'shop\.sing_song'"),
        transaction.atomic(),
    ):
        accounts.ensure_groups()
    assert not Group.objects.exists()


def test_no_group_may_change_accounts_or_groups(db: None) -> None:
    accounts.ensure_groups()
    granted = set(Group.objects.values_list("permissions__codename", flat=True))
    assert {"add_sale", "change_product", "view_user"} <= granted
    assert (
        not {"change_user", "add_user", "delete_user", "change_group", "add_permission"} & granted
    )


def test_one_address_is_used_first(db: None) -> None:
    user, other = make_user(), make_user()
    make_address(other, street="Elsewhere 1")
    make_address(user, street="First 1")
    make_address(user, street="Second 2")
    assert first_used(user) == ["First 1"]
    third = make_address(user, street="Third 3", is_default=True)
    assert first_used(user) == ["Third 3"]
    accounts.delete_address(address=third)
    assert first_used(user) == ["Second 2"]
    assert first_used(other) == ["Elsewhere 1"]


def test_a_double_click_keeps_an_address_once(db: None) -> None:
    user, other = make_user(), make_user()
    make_address(other)
    make_address(user)
    make_address(user)
    make_address(user, city="Kiel")
    assert sorted(user.addresses.values_list("city", flat=True)) == ["Hamburg", "Kiel"]
    make_address(user, city="Kiel", is_default=True)
    assert list(user.addresses.filter(is_default=True).values_list("city", flat=True)) == ["Kiel"]
    assert user.addresses.count() == 2


def test_the_address_book_is_kept_over_its_pages(db: None, client: Client) -> None:
    user = make_user()
    client.force_login(user)
    assert client.get("/account/addresses/new/").status_code == 200
    assert client.post("/account/addresses/new/", ADDRESS).status_code == 302
    address = user.addresses.get()
    assert address.is_default
    client.post(f"/account/addresses/{address.pk}/", ADDRESS | {"city": "Kiel"})
    assert user.addresses.get().city == "Kiel"
    assert client.get("/account/addresses/").url == "/account/"  # type: ignore[attr-defined]
    assert client.get(f"/account/addresses/{address.pk}/delete/").status_code == 200
    assert user.addresses.count() == 1
    client.post(f"/account/addresses/{address.pk}/delete/")
    assert user.addresses.count() == 0


def test_an_address_with_gaps_is_shown_again_with_what_is_missing(db: None, client: Client) -> None:
    user = make_user()
    client.force_login(user)
    response = client.post("/account/addresses/new/", ADDRESS | {"city": "", "country": "ZZ"})
    assert response.status_code == 200
    assert set(response.context["form"].errors) == {"city", "country"}
    assert response.context["form"]["street"].value() == "Kelp Lane 4"
    assert not user.addresses.exists()


def test_another_shopper_s_address_is_not_there(db: None, client: Client) -> None:
    address = make_address(make_user())
    client.force_login(make_user())
    for url in (f"/account/addresses/{address.pk}/", f"/account/addresses/{address.pk}/delete/"):
        assert client.get(url).status_code == 404
        assert client.post(url, ADDRESS | {"city": "Kiel"}).status_code == 404
    address.refresh_from_db()
    assert address.city == "Hamburg"


def test_account_pages_ask_for_a_sign_in(db: None, client: Client) -> None:
    for url in ("/account/", "/account/addresses/new/", "/account/details/"):
        response = client.get(url)
        assert response.status_code == 302
        assert response.headers["Location"] == f"/accounts/login/?next={url}"


def test_the_account_page_takes_few_queries(
    db: None, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    user = make_user()
    for _ in range(5):
        make_address(user)
    client.force_login(user)
    client.get("/account/")
    with django_assert_max_num_queries(8):
        assert client.get("/account/").status_code == 200


def test_a_shopper_gives_and_changes_a_name(db: None, client: Client) -> None:
    user = make_user()
    client.force_login(user)
    client.post("/account/details/", {"name": "Robin", "is_staff": "1", "email": "x@example.com"})
    user.refresh_from_db()
    assert (user.name, user.is_staff, user.email.startswith("shopper-")) == ("Robin", False, True)


def test_signing_up_makes_an_account_and_sends_a_letter(db: None, client: Client) -> None:
    response = client.post(
        "/accounts/signup/", {"email": "Robin@Example.com", "password1": "kelp and salt 9"}
    )
    assert response.status_code == 302
    user = User.objects.get()
    assert user.email == "robin@example.com"
    assert client.session["_auth_user_id"] == str(user.pk)
    assert EmailAddress.objects.get(user=user).verified is False
    assert [letter.to for letter in mail.outbox] == [["robin@example.com"]]


def test_signing_in_knows_no_case_and_a_wrong_password_stays_outside(
    db: None, client: Client
) -> None:
    make_user(email="robin@example.com", password="kelp and salt 9")
    wrong = client.post("/accounts/login/", {"login": "robin@example.com", "password": "kelp"})
    assert wrong.status_code == 200
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/", {"login": "ROBIN@example.com", "password": "kelp and salt 9"})
    assert "_auth_user_id" in client.session


def test_a_forgotten_password_sends_a_letter_and_says_nothing_of_who_is_known(
    db: None, client: Client
) -> None:
    make_user(email="robin@example.com")
    known = client.post("/accounts/password/reset/", {"email": "robin@example.com"})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert known.headers["Location"] == unknown.headers["Location"]
    assert sorted(letter.to[0] for letter in mail.outbox) == [
        "nobody@example.com",
        "robin@example.com",
    ]
