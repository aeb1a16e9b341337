"""Back in stock: who is asked, in which order, how often, and what is held for them."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inventory import reservations, stock
from inventory.models import Reservation, Stock
from shop import mails, stock_alerts
from shop.models import Order, OutgoingMail, StockAlert, StockOffer, User, Variant
from shop.stock_alerts import Asked, State
from tests.factories import make_user, make_variant, prove_address
from tests.shop.ordering import signed_in, staff
from tests.shop.test_checkout import FORM, hidden

pytestmark = pytest.mark.django_db


def wait_for(variant: Variant, user: User | None = None) -> StockAlert:
    """Somebody with an account asks; whoever asks later waits longer."""
    outcome = stock_alerts.ask(variant=variant, email="", user=user or make_user())
    assert isinstance(outcome, Asked)
    place = StockAlert.objects.count()
    StockAlert.objects.filter(pk=outcome.alert.pk).update(
        confirmed_at=timezone.now() + timedelta(seconds=place)
    )
    return outcome.alert


def asked() -> list[StockAlert]:
    """Whose offers there are, in the order in which they were made."""
    offers = StockOffer.objects.select_related("alert").order_by("reservation__created_at", "pk")
    return [offer.alert for offer in offers]


def let_offers_end() -> None:
    Reservation.objects.filter(state="held").update(expires_at=timezone.now() - timedelta(1))
    reservations.expire()


def offers_mails() -> list[str]:
    mails = OutgoingMail.objects.filter(template="stock_offer").order_by("pk")
    return list(mails.values_list("to", flat=True))


def path_of(url: str) -> str:
    return urlsplit(url).path


def panel(variant: Variant) -> str:
    return f"/alerts/for/{variant.sku}/"


def test_units_that_come_in_are_held_for_those_who_were_first() -> None:
    variant = make_variant(units=0)
    first, second, third = (wait_for(variant) for _ in range(3))
    assert stock_alerts.offer_what_came_in() == 0
    stock.receive(sku=variant.sku, quantity=2)
    assert stock_alerts.offer_what_came_in() == 2
    assert set(asked()) == {first, second}
    assert offers_mails() == [first.email, second.email]
    assert Stock.objects.get(sku=variant.sku).available == 0
    assert third.email not in offers_mails()


def test_a_second_run_offers_nothing_more() -> None:
    variant = make_variant(units=0)
    wait_for(variant)
    stock.receive(sku=variant.sku, quantity=5)
    assert [stock_alerts.offer_what_came_in() for _ in range(3)] == [1, 0, 0]
    assert len(offers_mails()) == 1


def test_what_is_not_ordered_in_time_goes_to_the_next_and_never_back() -> None:
    variant = make_variant(units=0)
    first, second = wait_for(variant), wait_for(variant)
    stock.receive(sku=variant.sku, quantity=1)
    for expected in ([first], [first, second], [first, second]):
        stock_alerts.offer_what_came_in()
        assert asked() == expected
        let_offers_end()
    stock.receive(sku=variant.sku, quantity=1)  # more came in: everybody may be asked again
    stock_alerts.offer_what_came_in()
    assert sorted(offers_mails()) == sorted([first.email, first.email, second.email, second.email])


def test_whoever_has_an_offer_gets_no_second_one_when_more_comes_in() -> None:
    variant = make_variant(units=0)
    alert = wait_for(variant)
    for _ in range(2):
        stock.receive(sku=variant.sku, quantity=1)
        stock_alerts.offer_what_came_in()
    assert asked() == [alert]


def test_the_table_refuses_a_second_offer_of_one_arrival() -> None:
    """The last guard."""
    constraint = StockOffer._meta.constraints[0]
    assert constraint.name == "stock_offer_once_per_arrival"
    assert getattr(constraint, "fields") == ("alert", "arrival")  # noqa: B009 -- not in the stubs


def test_an_account_waits_at_once_and_a_guest_says_yes_from_a_mail(client: Client) -> None:
    variant = make_variant(units=0)
    client.post(panel(variant), {"email": "Guest@Example.com"})
    alert = StockAlert.objects.get()
    assert (alert.email, alert.confirmed_at) == ("guest@example.com", None)
    stock.receive(sku=variant.sku, quantity=1)
    assert stock_alerts.offer_what_came_in() == 0  # nobody said yes
    mail = OutgoingMail.objects.get(template="stock_alert_confirm")
    link = path_of(mail.context["alert_url"])
    assert "Shall we write to guest@example.com?" in client.get(link).content.decode()
    alert.refresh_from_db()
    assert alert.confirmed_at is None  # opening the link is not yet a yes
    client.post(link, {"action": "confirm"})
    assert stock_alerts.offer_what_came_in() == 1

    other = make_variant(units=0)
    user = make_user()
    prove_address(user)
    signed_in(user).post(panel(other))
    alert = StockAlert.objects.get(variant=other)
    assert (alert.email, alert.user) == (user.email, user)
    assert alert.confirmed_at is not None


def test_an_account_whose_address_nobody_proved_takes_no_guest_s_place(client: Client) -> None:
    variant = make_variant(units=0)
    client.post(panel(variant), {"email": "guest@example.com"})
    stock_alerts.confirm(StockAlert.objects.get())
    stranger = make_user(email="guest@example.com")
    page = signed_in(stranger).get(panel(variant)).content.decode()
    assert 'value="guest@example.com"' in page  # it is asked by mail, as a guest is
    signed_in(stranger).post(panel(variant), {"email": "guest@example.com"})
    assert StockAlert.objects.get().user is None
    prove_address(stranger)
    signed_in(stranger).post(panel(variant))  # the control
    assert StockAlert.objects.get().user == stranger


def test_asking_twice_is_waiting_once_with_one_mail(client: Client) -> None:
    variant = make_variant(units=0)
    for _ in range(2):
        page = client.post(panel(variant), {"email": "guest@example.com"}, follow=True)
        assert "We sent you a mail." in page.content.decode()
    assert StockAlert.objects.count() == OutgoingMail.objects.count() == 1


def test_a_place_is_kept_when_a_guest_comes_back_with_an_account() -> None:
    variant, user = make_variant(units=0), make_user()
    stock_alerts.ask(variant=variant, email=user.email, user=None)
    alert = StockAlert.objects.get()
    stock_alerts.confirm(alert)
    alert.refresh_from_db()
    since = alert.confirmed_at
    stock_alerts.ask(variant=variant, email="", user=user)
    alert.refresh_from_db()
    assert (alert.user, alert.confirmed_at) == (user, since)


def test_what_can_be_had_needs_no_alert(client: Client) -> None:
    variant = make_variant(units=1)
    page = client.post(panel(variant), {"email": "guest@example.com"}, follow=True)
    assert "It can be had right now." in page.content.decode()
    assert not StockAlert.objects.exists()


def test_bad_addresses_come_back(client: Client) -> None:
    variant = make_variant(units=0)
    for email in ("", "nobody", "x" * 300 + "@example.com"):
        assert client.post(panel(variant), {"email": email}).status_code == 422
    assert client.get("/alerts/for/NOTHING/").status_code == 404
    assert not StockAlert.objects.exists()


def test_the_sixth_letter_to_one_address_is_refused(client: Client) -> None:
    for _ in range(5):
        client.post(panel(make_variant(units=0)), {"email": "guest@example.com"})
    late = client.post(panel(make_variant(units=0)), {"email": "guest@example.com"})
    assert (late.status_code, OutgoingMail.objects.count()) == (429, 5)


def held_offer(user: User | None = None) -> StockOffer:
    variant = make_variant(units=0)
    if user is None:
        stock_alerts.ask(variant=variant, email="guest@example.com", user=None)
        stock_alerts.confirm(StockAlert.objects.get(variant=variant))
    else:
        wait_for(variant, user)
    stock.receive(sku=variant.sku, quantity=1)
    assert stock_alerts.offer_what_came_in() == 1
    return StockOffer.objects.get(alert__variant=variant)


@pytest.mark.django_db(transaction=True)
def test_the_link_leads_to_the_checkout_of_the_unit_that_is_held(client: Client) -> None:
    offer = held_offer()
    url = path_of(stock_alerts.offer_url(offer))
    page = client.get(url)
    assert page.status_code == 200
    assert offer.alert.variant.full_name in page.content.decode()
    body = page.content.decode()
    form = FORM | {name: hidden(body, name) for name in ("attempt", "seen_total")}
    answer = client.post(url, form)
    order = Order.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, order.get_absolute_url())
    assert order.line_items.get().reservation == offer.reservation
    offer.refresh_from_db()
    assert offer.order == order
    assert stock_alerts.state_of(offer) is State.ORDERED
    assert client.get(url).headers["Location"] == order.get_absolute_url()
    client.post(url, form)
    assert Order.objects.count() == 1
    stock.receive(sku=offer.alert.variant.sku, quantity=5)
    assert stock_alerts.offer_what_came_in() == 0  # it was ordered: nobody waits
    call_command("audit")


def test_an_account_s_link_is_its_own() -> None:
    user = make_user()
    url = path_of(stock_alerts.offer_url(held_offer(user)))
    assert Client().get(url).headers["Location"].startswith("/accounts/login/?next=/offers/")
    # Somebody else, who is signed in, would be led back here from there.
    assert signed_in(make_user()).get(url).status_code == 404
    assert signed_in(user).get(url).status_code == 200


def test_a_link_that_we_did_not_sign_leads_nowhere(client: Client) -> None:
    offer = held_offer()
    url = path_of(stock_alerts.offer_url(offer))
    for forged in (url[:-2] + "x/", "/offers/nonsense/", f"/offers/{offer.pk}/"):
        assert client.get(forged).status_code == 404
    signed_alert = path_of(stock_alerts.alert_url(offer.alert)).split("/")[2]
    assert client.get(f"/offers/{signed_alert}/").status_code == 404
    assert client.get("/alerts/nonsense/").status_code == 404


def test_after_its_time_the_link_says_so_and_sells_nothing(client: Client) -> None:
    offer = held_offer()
    url = path_of(stock_alerts.offer_url(offer))
    Reservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for answer in (client.get(url), client.post(url, FORM)):
        assert answer.status_code == 410
        assert "No longer held for you" in answer.content.decode()
    assert not Order.objects.exists()


def test_declining_asks_first_and_then_gives_the_unit_to_the_next(client: Client) -> None:
    offer = held_offer()
    variant = offer.alert.variant
    following = wait_for(variant)
    url = f"{path_of(stock_alerts.offer_url(offer))}decline/"
    assert client.get(url).status_code == 200
    assert stock_alerts.offer_what_came_in() == 0
    client.post(url)
    assert stock_alerts.offer_what_came_in() == 1
    assert offers_mails() == [offer.alert.email, following.email]


def test_enough_of_the_mails_forgets_the_address_and_gives_the_unit_back(client: Client) -> None:
    offer = held_offer()
    link = path_of(stock_alerts.alert_url(offer.alert))
    client.get(link)
    assert StockAlert.objects.exists()  # looking ends nothing
    client.post(link, {"action": "end"})
    assert not StockAlert.objects.exists()
    assert Stock.objects.get(sku=offer.alert.variant.sku).available == 1
    assert client.get(link).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_ending_an_alert_leaves_an_order_that_was_made_of_it_its_unit(client: Client) -> None:
    offer = held_offer()
    url = path_of(stock_alerts.offer_url(offer))
    body = client.get(url).content.decode()
    client.post(url, FORM | {name: hidden(body, name) for name in ("attempt", "seen_total")})
    stock_alerts.end(offer.alert)
    assert (Order.objects.get().state, Reservation.objects.get().state) == ("paid", "confirmed")


def test_only_the_owner_ends_an_alert_in_the_account() -> None:
    user = make_user()
    alert = wait_for(make_variant(units=0), user)
    url = f"/alerts/own/{alert.pk}/end/"
    for client in (Client(), signed_in(make_user())):
        assert client.post(url).status_code == 404
    assert StockAlert.objects.exists()
    signed_in(user).post(url)
    assert not StockAlert.objects.exists()


def test_withdrawn_things_and_closed_accounts_get_no_offers() -> None:
    variant, other = make_variant(units=0), make_variant(units=0)
    wait_for(variant)
    wait_for(other, make_user(is_active=False))
    for each in (variant, other):
        stock.receive(sku=each.sku, quantity=1)
    Variant.objects.filter(pk=variant.pk).update(is_active=False)
    assert stock_alerts.offer_what_came_in() == 0
    Variant.objects.update(is_active=True)
    User.objects.update(is_active=True)
    assert stock_alerts.offer_what_came_in() == 2  # the control


def test_addresses_that_nobody_confirmed_are_forgotten_after_a_week() -> None:
    old, fresh, confirmed = make_variant(units=0), make_variant(units=0), make_variant(units=0)
    for variant in (old, fresh):
        stock_alerts.ask(variant=variant, email="guest@example.com", user=None)
    wait_for(confirmed)
    StockAlert.objects.exclude(variant=fresh).update(created_at=timezone.now() - timedelta(days=8))
    assert stock_alerts.forget_unconfirmed() == 1
    assert set(StockAlert.objects.values_list("variant", flat=True)) == {fresh.pk, confirmed.pk}


def test_one_run_makes_so_many_offers_and_the_next_goes_on() -> None:
    variant = make_variant(units=0)
    for _ in range(3):
        wait_for(variant)
    stock.receive(sku=variant.sku, quantity=3)
    assert [stock_alerts.offer_what_came_in(limit=2) for _ in range(2)] == [2, 1]


def test_staff_see_who_waits(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    alert = held_offer().alert
    client = staff("view_stockalert", "view_stockoffer")
    assert alert.email in client.get("/admin/shop/stockalert/").content.decode()
    assert client.get(f"/admin/shop/stockalert/{alert.pk}/change/").status_code == 200


def test_the_mails_say_what_where_and_until_when() -> None:
    offer = held_offer()
    name = offer.alert.variant.full_name
    bodies = {}
    for mail in OutgoingMail.objects.filter(template__startswith="stock_"):
        message = mails.render(mail)
        bodies[mail.template] = str(message.body)
        assert name in message.subject
        assert mail.context["alert_url"] in message.body
    assert stock_alerts.offer_url(offer) in bodies["stock_offer"]
