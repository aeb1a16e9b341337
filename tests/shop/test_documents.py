"""Invoices, credit notes and packing slips: what they say, and that they are drawn in our shoppers' letters."""

import logging
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F
from fpdf import FPDF
from pytest_django import Settings

from inventory import audit
from shop import (
    credit_notes,
    document_pdf,
    documents,
    invoices,
    orders,
    refund_settling,
    refunds,
)
from shop.documents import Document
from shop.models import Invoice, LineItem, Order, Refund
from tests.factories import make_variant
from tests.shop.ordering import captured_order, make_order, signed_in

pytestmark = pytest.mark.django_db
STAFF = "staff@example.com"


@pytest.fixture(autouse=True)
def our_address(settings: Settings) -> None:
    settings.SHOP_ADDRESS = "2 Market Street\n20095 Hamburg"
    settings.SHOP_TAX_ID = "VAT DE123456789"


def taxed_order() -> Order:
    """Two lamps and two mugs at different rates, with a code and delivery."""
    lamp, mug = make_variant(sku="A-LAMP", units=9), make_variant(sku="B-MUG", units=9)
    order = captured_order(lamp, mug, quantity=2)
    LineItem.objects.filter(sku="A-LAMP").update(discount=10, tax_percent=19, tax=Decimal("30.34"))
    LineItem.objects.filter(sku="B-MUG").update(discount=10, tax_percent="5.5", tax="9.91")
    Order.objects.filter(pk=order.pk).update(
        subtotal=400,
        discount=20,
        discount_code="SPRING",
        shipping=Decimal("4.90"),
        tax=Decimal("41.03"),
        tax_name="VAT",
        total=Decimal("384.90"),
        note="Please ring twice",
        shipping_method="Standard",
    )
    order.payment_intents.update(amount=Decimal("384.90"))
    order.refresh_from_db()
    return order


def invoice_of(order: Order) -> Document:
    document = documents.invoice_of(order)
    assert document is not None
    return document


# Numbers


def test_invoices_are_numbered_one_after_another() -> None:
    paid = [captured_order(), captured_order(), captured_order()]
    assert [order.invoice.number for order in paid] == [1, 2, 3]


def test_a_payment_that_is_rolled_back_takes_no_number_with_it() -> None:
    captured_order()
    with transaction.atomic():
        assert captured_order().invoice.number == 2
        transaction.set_rollback(True)
    assert captured_order().invoice.number == 2


def test_control_a_sequence_would_leave_a_gap() -> None:
    with transaction.atomic():
        first = captured_order().events.latest("id").pk
        transaction.set_rollback(True)
    assert captured_order().events.earliest("id").pk > first


def test_an_unpaid_order_has_no_invoice() -> None:
    order = make_order()
    assert documents.invoice_of(order) is None
    assert Invoice.objects.count() == 0


def test_an_invoice_keeps_the_seller_of_its_day(settings: Settings) -> None:
    order = captured_order()
    settings.SHOP_ADDRESS = "Elsewhere"
    assert list(invoice_of(order).seller) == [
        settings.SHOP_NAME,
        "2 Market Street",
        "20095 Hamburg",
        "VAT DE123456789",
    ]


def test_an_invoice_and_its_notes_keep_whom_they_were_issued_to() -> None:
    order = taxed_order()
    note = done(order)
    Order.objects.update(recipient="–", street="–", postcode="–", city="–", email="")
    order.refresh_from_db()
    note.refresh_from_db()
    issued_to = ["Ada Example", "1 Sample Street", "10115 Berlin", "Germany"]
    credit_note = documents.credit_note_of(Refund.objects.get())
    assert credit_note is not None
    assert list(invoice_of(order).recipient) == list(credit_note.recipient) == issued_to
    # The control: a paper that is drawn anew each time says what the order says by now.
    assert list(documents.packing_slip_of(order).recipient) == ["–", "–", "– –", "Germany"]


# What they say


def test_an_invoice_says_what_was_bought_for_how_much_with_which_tax() -> None:
    order = taxed_order()
    invoice = invoice_of(order)
    assert invoice.title == "Invoice 1"
    assert ("Order", order.reference) in invoice.facts
    assert list(invoice.recipient) == [
        "Ada Example",
        "1 Sample Street",
        "10115 Berlin",
        "Germany",
    ]
    names = dict(order.line_items.values_list("sku", "name"))
    assert [list(row) for row in invoice.rows] == [
        ["A-LAMP", names["A-LAMP"], "2", "€100.00", "€200.00"],
        ["B-MUG", names["B-MUG"], "2", "€100.00", "€200.00"],
    ]
    assert list(invoice.sums) == [
        ("Goods", "€400.00"),
        ("Discount SPRING", "-€20.00"),
        ("Delivery", "€4.90"),
    ]
    assert invoice.total == ("Total", "€384.90")
    assert list(invoice.included) == [
        ("Includes 19 % VAT", "€30.34"),
        ("Includes 5.5 % VAT", "€9.91"),
        ("Includes VAT on delivery", "€0.78"),
    ]


def test_tax_that_came_on_top_is_not_said_to_be_included() -> None:
    order = taxed_order()
    order.tax_is_included = False
    invoice = invoice_of(order)
    assert list(invoice.sums)[-3:] == [
        ("19 % VAT", "€30.34"),
        ("5.5 % VAT", "€9.91"),
        ("VAT on delivery", "€0.78"),
    ]
    assert list(invoice.included) == []


def test_a_credit_note_says_what_was_given_back_and_for_what() -> None:
    order = taxed_order()
    lamp = order.line_items.get(sku="A-LAMP")
    outcome = refunds.refund_part(
        order=order,
        units={lamp.pk: 1},
        delivery=True,
        extra=Decimal("5.00"),
        actor=STAFF,
        reason="a scratch",
    )
    assert isinstance(outcome, refunds.Started)
    refund = outcome.refund
    assert documents.credit_note_of(refund) is None  # nothing was given back yet
    refund_settling._record_done(refund)
    refund.refresh_from_db()
    note = documents.credit_note_of(refund)
    assert note is not None
    assert note.title == "Credit note 1-1"
    assert [list(row) for row in note.rows] == [
        ["A-LAMP", lamp.name, "1", "€95.00"],
        ["", "Delivery", "", "€4.90"],
        ["", "a scratch", "", "€5.00"],
    ]
    assert note.total == ("Given back", "€104.90")
    # Half of 30.34, all of delivery's, and of each 5 parts in 384.90 for the scratch.
    assert list(note.included) == [
        ("Includes 19 % VAT", "€15.56"),
        ("Includes 5.5 % VAT", "€0.13"),
        ("Includes VAT on delivery", "€0.79"),
    ]


def done(order: Order, number: int = 0, **more: Any) -> Refund:
    """A refund of one unit of a line, that was just given back."""
    item = order.line_items.order_by("sku")[number]
    outcome = refunds.refund_part(
        order=order, units={item.pk: 1}, actor=STAFF, reason="a scratch", **more
    )
    assert isinstance(outcome, refunds.Started)
    refund_settling._record_done(outcome.refund)
    outcome.refund.refresh_from_db()
    return outcome.refund


def breaches() -> list[str]:
    """The names of what does not agree about papers and money given back."""
    names = [result.check.name for result in audit.run(scope={}) if result.breaches]
    return [name for name in names if "papers" in name]


def title_of(refund: Refund) -> str:
    note = documents.credit_note_of(refund)
    assert note is not None
    return note.title


def test_a_credit_note_keeps_its_number() -> None:
    order = taxed_order()
    first, second = done(order), done(order)
    assert [title_of(first), title_of(second)] == ["Credit note 1-1", "Credit note 1-2"]
    # A clock that was put back, or another server's.
    Refund.objects.filter(pk=second.pk).update(done_at=F("created_at") - timedelta(days=1))
    second.refresh_from_db()
    assert [title_of(first), title_of(second)] == ["Credit note 1-1", "Credit note 1-2"]


def given_back_besides(order: Order, reason: str) -> Refund:
    """A second payment of an order, that came when it had one, and was given back."""
    intent = order.payment_intents.create(
        gateway="demo", method={}, amount=order.total, currency=order.currency, state="cancelling"
    )
    assert refunds.give_back_rest(intent, order=order, reason=reason)
    refund = intent.refunds.get()
    refund_settling._record_done(refund)
    refund.refresh_from_db()
    return refund


def test_a_payment_that_came_besides_goes_back_without_a_credit_note() -> None:
    order = taxed_order()
    besides = given_back_besides(order, "it was paid twice")
    assert (besides.state, besides.credit_number) == ("done", None)
    assert documents.credit_note_of(besides) is None
    assert order.user is not None
    client = signed_in(order.user)
    assert client.get(order.get_absolute_url()).text.count("credit-note") == 0
    url = f"{order.get_absolute_url()}credit-note/{besides.pk}.pdf"
    assert client.get(url).status_code == 404


def test_invoice_minus_credit_notes_is_what_the_goods_brought() -> None:
    order = taxed_order()
    given_back_besides(order, "it was paid twice")
    first = done(order)
    given_back_besides(order, "it came too late")
    second = done(order, 1)
    assert [title_of(first), title_of(second)] == ["Credit note 1-1", "Credit note 1-2"]
    notes = order.refunds.exclude(credit_number=None)
    assert order.total - sum(note.amount for note in notes) == Decimal("194.90")
    assert breaches() == []
    # The control: the books would not agree with a note for what was paid twice.
    Refund.objects.filter(is_for_goods=False).update(is_for_goods=True)
    credit_notes.number_all(order)
    assert breaches() == ["papers_say_what_was_earned"]


@pytest.mark.parametrize("is_included", [True, False])
def test_the_notes_of_an_order_that_is_given_back_have_the_tax_of_its_invoice(
    is_included: bool,
) -> None:
    order = taxed_order()
    if not is_included:
        order.tax_is_included, order.total = False, order.total + order.tax
        order.save()
        order.payment_intents.update(amount=order.total)
    notes = [done(order), done(order, delivery=True), done(order, 1), done(order, 1)]
    order.refresh_from_db()
    assert order.state == "refunded"
    taxes: defaultdict[Decimal | None, Decimal] = defaultdict(Decimal)
    for note in notes:
        for rate, tax in credit_notes.taxes_in(note).items():
            taxes[rate] += tax
    assert taxes == credit_notes.taxes_of(order)
    assert taxes == {
        Decimal("19.00"): Decimal("30.34"),
        Decimal("5.50"): Decimal("9.91"),
        None: Decimal("0.78"),
    }


def test_a_packing_slip_has_what_is_in_the_parcel_and_no_prices() -> None:
    order = taxed_order()
    lamp = order.line_items.get(sku="A-LAMP")
    mug = order.line_items.get(sku="B-MUG")
    refunds.refund_part(
        order=order, units={lamp.pk: 1, mug.pk: 2}, restock=True, actor=STAFF, reason="sold out"
    )
    slip = documents.packing_slip_of(order)
    assert [list(row) for row in slip.rows] == [["A-LAMP", lamp.name, "1"]]
    assert (slip.total, list(slip.notes)) == (None, ["Please ring twice"])
    assert "€" not in repr(slip)
    assert ("Delivery", "Standard") in slip.facts


# How they are drawn

NAMES = ["Łukasz Żółć, Gdańsk", "Γιώργος Παπαδόπουλος, Αθήνα", "Юлія Ґудзь, Київ", "Nguyễn Đặng"]


def test_the_letters_of_our_shoppers_are_there(caplog: pytest.LogCaptureFixture) -> None:
    order = taxed_order()
    for name in NAMES:
        Invoice.objects.update(recipient=name)
        with caplog.at_level(logging.WARNING):
            assert document_pdf.draw(invoice_of(order)).startswith(b"%PDF-")
    assert caplog.records == []


def test_control_letters_that_are_not_there_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    order = taxed_order()
    Invoice.objects.update(recipient="東京")
    with caplog.at_level(logging.WARNING):
        assert document_pdf.draw(invoice_of(order)).startswith(b"%PDF-")
    assert "missing the following glyphs" in caplog.text


def test_every_text_of_a_document_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    render = FPDF._render_styled_text_line

    def watch(self: Any, text_line: Any, *args: Any, **more: Any) -> Any:
        drawn.append("".join(str(fragment.string) for fragment in text_line.fragments))
        return render(self, text_line, *args, **more)

    monkeypatch.setattr(FPDF, "_render_styled_text_line", watch)
    invoice = invoice_of(taxed_order())
    document_pdf.draw(invoice)
    text = " ".join(drawn)
    expected = [invoice.title, *invoice.recipient, *invoice.columns, *invoice.seller]
    expected += [cell for row in invoice.rows for cell in row]
    assert invoice.total is not None
    expected += [part for row in [*invoice.sums, invoice.total] for part in row]
    expected += [part for row in invoice.included for part in row]
    assert [part for part in expected if part not in text] == []


def test_the_same_invoice_is_the_same_file() -> None:
    order = taxed_order()
    assert document_pdf.draw(invoice_of(order)) == document_pdf.draw(invoice_of(order))


def test_a_long_order_goes_on_over_the_page() -> None:
    slip = documents.packing_slip_of(taxed_order())
    long = Document(
        title=slip.title,
        issued_at=slip.issued_at,
        seller=slip.seller,
        recipient=slip.recipient,
        facts=slip.facts,
        columns=slip.columns,
        rows=[["SKU", "A name " * 20, str(number)] for number in range(60)],
    )
    assert document_pdf.draw(long).count(b"/Type /Page\n") > 1


def test_an_invoice_is_issued_once(settings: Settings) -> None:
    order = captured_order()
    assert not orders.pay(order=order)
    assert invoices.of(order) == Invoice.objects.get()
