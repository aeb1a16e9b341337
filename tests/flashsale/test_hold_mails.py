"""Mail about a hold that ends: to whom it matters, once, and to nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from flashsale import hold_mails, purchases
from flashsale.models import Purchase, Sale
from flashsale.tasks import write_hold_mails
from inventory import reservations
from inventory.models import Reservation
from shop import checkout, mails
from shop.checkout import AddressData
from shop.models import OutgoingMail, User
from tests.factories import make_sale, make_user
from tests.flashsale.test_strategies import buy, held

pytestmark = pytest.mark.django_db


def hold(user: User | None = None, *, ends_in: float = 60, **fields: Any) -> Purchase:
    sale = make_sale(**{"hold_seconds": 600} | fields)
    purchase = held(buy(sale, user or make_user()))
    end_in(purchase, ends_in)
    return purchase


def end_in(purchase: Purchase, seconds: float) -> None:
    moment = timezone.now() + timedelta(seconds=seconds)
    Reservation.objects.filter(pk=purchase.pk).update(expires_at=moment)


def order_of(purchase: Purchase) -> None:
    line = purchases.order_line(Purchase.objects.get(pk=purchase.pk))
    checkout.place_order(
        key=purchase.pk,
        user=purchase.shopper,
        email=purchase.shopper.email,
        address=AddressData("Ada Example", "Harbour Road 1", "24103", "Kiel", "DE"),
        lines=[line],
        on_placed=lambda order: purchases.attach_order(purchase, order),
    )


def written() -> list[tuple[str, str]]:
    return list(OutgoingMail.objects.order_by("pk").values_list("template", "to"))


def test_who_has_not_ordered_is_told_before_the_hold_ends_and_once() -> None:
    purchase = hold()
    assert [hold_mails.write_due(), hold_mails.write_due()] == [1, 0]
    assert written() == [("hold_ending", purchase.shopper.email)]
    mails.send_due()
    (sent,) = mail.outbox
    assert sent.subject.startswith("Held for you a little longer: ")
    assert f"/purchases/{purchase.pk}/checkout/" in sent.body
    assert "If you need more time, you can ask for it there, once." in sent.body


def test_it_speaks_the_language_in_which_they_read_the_shop() -> None:
    german, english = hold(make_user(language="de")), hold()
    hold_mails.write_due()
    end_in(german, -1)
    reservations.expire()
    hold_mails.write_due()
    mails.send_due()

    def subjects(purchase: Purchase) -> set[str]:
        sent = [message for message in mail.outbox if message.to == [purchase.shopper.email]]
        return {message.subject.partition(":")[0] for message in sent}

    assert subjects(german) == {"Noch kurz für dich gehalten", "Nicht mehr für dich gehalten"}
    assert subjects(english) == {"Held for you a little longer"}  # the control


def test_when_it_has_ended_they_are_told_that_too() -> None:
    purchase = hold()
    hold_mails.write_due()
    end_in(purchase, -1)
    reservations.expire()
    assert [hold_mails.write_due(), hold_mails.write_due()] == [1, 0]
    assert [template for template, _ in written()] == ["hold_ending", "hold_ended"]
    mails.send_due()
    assert "It went to the next in line. You are not charged." in mail.outbox[-1].body


@pytest.mark.parametrize("seconds", [151, 400])
def test_nobody_is_told_before_the_last_quarter(seconds: float) -> None:
    hold(ends_in=seconds)
    assert hold_mails.write_due() == 0
    assert written() == []


def test_of_a_long_hold_it_is_the_last_ten_minutes() -> None:
    purchase = hold(hold_seconds=3600, ends_in=610)
    assert hold_mails.write_due() == 0
    end_in(purchase, 590)
    assert hold_mails.write_due() == 1


def test_a_hold_that_is_over_before_a_mail_is_read_is_told_of_at_its_end_alone() -> None:
    purchase = hold(hold_seconds=90, ends_in=20)
    assert hold_mails.write_due() == 0
    end_in(purchase, -1)
    reservations.expire()
    assert hold_mails.write_due() == 1


def test_an_order_has_mails_of_its_own() -> None:
    purchase = hold()
    order_of(purchase)
    OutgoingMail.objects.all().delete()
    assert hold_mails.write_due() == 0


def test_nobody_is_told_of_what_they_let_go_or_of_what_is_long_past() -> None:
    purchase, old = hold(), hold()
    purchases.release(Purchase.objects.select_related("reservation", "sale").get(pk=purchase.pk))
    end_in(old, -1)
    reservations.expire()
    end_in(old, -60 * (hold_mails.LATEST_MINUTES + 1))
    assert hold_mails.write_due() == 0


def test_rehearsals_and_closed_accounts_get_no_mail() -> None:
    rehearsed, closed = hold(), hold()
    Sale.objects.filter(pk=rehearsed.sale_id).update(is_rehearsal=True)
    User.objects.filter(pk=closed.shopper.pk).update(is_active=False)
    assert write_hold_mails() == 0


def test_everybody_of_a_sale_is_told() -> None:
    sale = make_sale(units=4, hold_seconds=600)
    for _ in range(4):
        end_in(held(buy(sale, make_user())), 60)
    assert hold_mails.write_due() == 4
    assert len({to for _, to in written()}) == 4
