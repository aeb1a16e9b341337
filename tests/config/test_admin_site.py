import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings

from shop import accounts
from shop.models import User
from tests.factories import make_user, make_variant


@pytest.fixture
def one_factor(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False


def make_staff(group: str = "Merchants") -> User:
    accounts.ensure_groups()
    user = make_user(password="kelp and salt 9", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def test_the_back_office_signs_in_where_everybody_does(db: None, client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=%2Fadmin%2F")


def test_a_shopper_is_told_no(db: None, client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/admin/", follow=True).status_code == 403


def test_staff_without_a_second_factor_set_one_up_first(db: None, client: Client) -> None:
    client.force_login(make_staff())
    response = client.get("/admin/shop/product/", follow=True)
    assert response.redirect_chain[1][0] == "/accounts/2fa/totp/activate/"
    assert [str(message) for message in response.context["messages"]] == [
        "Set up a second factor first: it guards the back office."
    ]


def test_a_second_factor_is_asked_for_at_sign_in_and_opens_the_back_office(
    db: None, client: Client
) -> None:
    user = make_staff()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    client.post("/accounts/login/", {"login": user.email, "password": "kelp and salt 9"})
    assert client.get("/admin/", follow=True).status_code == 200
    assert "_auth_user_id" not in client.session
    code = totp.format_hotp_value(
        totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time())))
    )
    client.post("/accounts/2fa/authenticate/", {"code": code})
    assert client.get("/admin/").status_code == 200
    assert Authenticator.objects.filter(user=user).exists()


def test_guessing_the_second_factor_is_limited(db: None, client: Client) -> None:
    user = make_staff()
    totp.TOTP.activate(user, totp.generate_totp_secret())
    client.post("/accounts/login/", {"login": user.email, "password": "kelp and salt 9"})
    codes = [
        client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code
        for _ in range(11)
    ]
    assert codes == [200] * 10 + [429]


def test_every_page_of_the_back_office_opens(db: None, client: Client, one_factor: None) -> None:
    client.force_login(User.objects.create_superuser("boss@example.com", "x"))
    variant = make_variant(units=2)
    assert client.get("/admin/").status_code == 200
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(base).status_code == 200, base
    assert client.get("/admin/shop/product/", {"q": variant.sku}).status_code == 200
    page = client.get(f"/admin/shop/product/{variant.product_id}/change/")
    assert variant.sku in page.content.decode()


def test_a_merchant_publishes_and_withdraws_products(
    db: None, client: Client, one_factor: None
) -> None:
    client.force_login(make_staff())
    product = make_variant().product
    for action, expected in (("withdraw", False), ("publish", True)):
        client.post("/admin/shop/product/", {"action": action, "_selected_action": [product.pk]})
        product.refresh_from_db()
        assert product.is_published is expected


def test_only_superusers_touch_accounts(db: None, client: Client, one_factor: None) -> None:
    user = make_staff("Staff")
    client.force_login(user)
    url = f"/admin/shop/user/{user.pk}/change/"
    assert client.get("/admin/shop/user/").status_code == 200
    assert client.get(url).status_code == 200
    assert client.post(url, {"email": user.email, "is_superuser": "on"}).status_code == 403
    assert client.get("/admin/shop/user/add/").status_code == 403
    user.refresh_from_db()
    assert user.is_superuser is False
