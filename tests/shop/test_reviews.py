"""Reviews: by buyers alone, one each, shown when they were read."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from shop import orders, reviews
from shop.models import Order, Product, Review, User, Variant
from shop.reviews import WhyNot, Written
from tests.factories import make_user, make_variant
from tests.shop.ordering import captured_order, make_order, signed_in, staff

pytestmark = pytest.mark.django_db

FORM = {"rating": "4", "title": "Bright", "body": "It gives light."}


def buyer_of(variant: Variant) -> User:
    user = make_user(name="Ada Example")
    captured_order(variant, user=user)
    return user


def write(user: User, product: Product, **more: Any) -> Written | WhyNot:
    fields: dict[str, Any] = {"rating": 4, "title": "Bright", "body": "It gives light."} | more
    return reviews.write(user=user, product=product, **fields)


def written(user: User, product: Product, **more: Any) -> Review:
    outcome = write(user, product, **more)
    assert isinstance(outcome, Written)
    return outcome.review


def approve(*chosen: Review, **more: Any) -> int:
    fields: dict[str, Any] = {"read_at": timezone.now(), "actor": "staff@example.com"} | more
    return reviews.decide(pks=[review.pk for review in chosen], **fields)


def urls(product: Product) -> tuple[str, str]:
    return f"/p/{product.slug}/reviews/", f"/p/{product.slug}/reviews/write/"


def test_only_approved_reviews_count() -> None:
    product = make_variant().product
    for rating, approved in ((5, True), (2, True), (1, False)):
        Review.objects.create(
            product=product, user=make_user(), rating=rating, title="So", is_approved=approved
        )
    summary = reviews.summary(product=product)
    assert (summary.average, summary.count) == (3.5, 2)
    assert [share.count for share in summary.shares] == [1, 0, 0, 1, 0]
    assert {review.rating for review in reviews.shown(product=product)} == {5, 2}


def test_whoever_paid_for_a_product_may_write_and_nobody_else() -> None:
    variant, other = make_variant(units=9), make_variant(units=9)
    unpaid, elsewhere, buyer = make_user(), buyer_of(other), buyer_of(variant)
    make_order(variant, user=unpaid)
    for user in (unpaid, elsewhere, make_user()):
        assert write(user, variant.product) is WhyNot.NOT_BOUGHT
    assert not Review.objects.exists()
    assert isinstance(write(buyer, variant.product), Written)  # the control: paid, so it is kept


def test_a_cancelled_order_gives_no_say_and_a_shipped_one_does() -> None:
    variant = make_variant(units=9)
    shipped, cancelled = make_user(), make_user()
    orders.fulfil(order=captured_order(variant, user=shipped), actor="staff")
    Order.objects.filter(pk=captured_order(variant, user=cancelled).pk).update(state="cancelled")
    assert isinstance(write(shipped, variant.product), Written)
    assert write(cancelled, variant.product) is WhyNot.NOT_BOUGHT


def test_a_second_review_takes_the_place_of_the_first_and_waits_again() -> None:
    variant = make_variant(units=9)
    user = buyer_of(variant)
    assert approve(written(user, variant.product)) == 1
    again = write(user, variant.product, rating=1, title="Broke")
    assert isinstance(again, Written)
    assert not again.is_new
    review = Review.objects.get()
    assert (review.rating, review.title, review.state) == (1, "Broke", "waiting")


def test_what_was_changed_after_it_was_read_is_not_approved() -> None:
    variant = make_variant(units=9)
    user = buyer_of(variant)
    read_at = timezone.now()
    review = written(user, variant.product, title="Something else now")
    Review.objects.update(written_at=read_at + timedelta(seconds=1))
    assert approve(review, read_at=read_at) == 0
    assert Review.objects.get().state == "waiting"
    assert approve(review, read_at=read_at + timedelta(seconds=2)) == 1  # the control: read after


def test_a_refused_review_tells_its_writer_why_and_nobody_else() -> None:
    variant = make_variant(units=9)
    user = buyer_of(variant)
    review = written(user, variant.product)
    assert approve(review, refusal="It names a person.") == 1
    panel, _ = urls(variant.product)
    assert "It names a person." in signed_in(user).get(panel).content.decode()
    theirs = Client().get(panel).content.decode()
    assert "It names a person." not in theirs
    assert review.title not in theirs


def test_a_buyer_writes_on_the_page_and_reads_what_waits(client: Client) -> None:
    variant = make_variant(units=9)
    panel, form = urls(variant.product)
    client = signed_in(buyer_of(variant))
    assert "Write a review" in client.get(panel).content.decode()
    response = client.post(form, FORM, follow=True)
    assert response.redirect_chain == [(panel, 302)]
    page = response.content.decode()
    assert "Your review is shown once somebody has read it" in page
    assert "Change your review" in page
    assert "It gives light." in page  # in the form, to be changed
    assert Review.objects.get().state == "waiting"


def test_others_are_told_why_they_cannot_write(client: Client) -> None:
    product = make_variant(units=9).product
    panel, form = urls(product)
    assert "Sign in to write a review" in client.get(panel).content.decode()
    assert client.post(form, FORM).status_code == 302
    stranger = signed_in(make_user())
    assert "Once your order of it is paid" in stranger.get(panel).content.decode()
    assert stranger.post(form, FORM).status_code == 403
    assert not Review.objects.exists()


def test_bad_reviews_come_back_with_what_is_wrong() -> None:
    variant = make_variant(units=9)
    _, form = urls(variant.product)
    client = signed_in(buyer_of(variant))
    for fields in (
        {"rating": "6"},
        {"rating": ""},
        {"title": ""},
        {"title": "x" * 101},
        {"body": "\x00"},
    ):
        assert client.post(form, FORM | fields).status_code == 422, fields
    assert not Review.objects.exists()


def test_html_is_shown_as_it_was_typed() -> None:
    variant = make_variant(units=9)
    approve(written(buyer_of(variant), variant.product, body="<b>Look</b> https://example.com"))
    page = Client().get(urls(variant.product)[0]).content.decode()
    assert "&lt;b&gt;Look&lt;/b&gt;" in page
    assert 'href="https://example.com' not in page


def test_a_review_of_a_buyer_has_the_mark_and_never_an_address() -> None:
    variant = make_variant(units=9)
    nameless = make_user(email="private.name@example.com")
    captured_order(variant, user=nameless)
    approve(written(nameless, variant.product))
    panel, _ = urls(variant.product)
    page = Client().get(panel).content.decode()
    assert "Bought here" in page
    assert "private.name" not in page
    Order.objects.update(state="refunded")
    assert "Bought here" not in Client().get(panel).content.decode()  # the control


def test_a_review_can_be_taken_back() -> None:
    variant = make_variant(units=9)
    user = buyer_of(variant)
    written(user, variant.product)
    other = written(buyer_of(variant), variant.product)
    signed_in(user).post(urls(variant.product)[1], {"action": "remove"})
    assert Review.objects.get() == other


def test_the_eleventh_change_within_an_hour_is_refused() -> None:
    variant = make_variant(units=9)
    client, form = signed_in(buyer_of(variant)), urls(variant.product)[1]
    for _ in range(10):
        assert client.post(form, FORM).status_code == 302
    assert client.post(form, FORM).status_code == 429


def test_the_panel_takes_as_many_queries_for_twenty_as_for_two(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    variant = make_variant(units=9)
    client = signed_in(buyer_of(variant))
    for reviews_there in (2, 20):
        while Review.objects.count() < reviews_there:
            Review.objects.create(
                product=variant.product, user=make_user(), rating=5, title="So", is_approved=True
            )
        with django_assert_max_num_queries(8):
            page = client.get(urls(variant.product)[0], headers={"X-Requested-With": "fetch"})
        assert page.content.decode().count("<time") == reviews_there


def test_staff_read_the_texts_and_approve_or_refuse_many_at_once(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    variant = make_variant(units=9)
    chosen = [written(buyer_of(variant), variant.product, title=f"T{n}") for n in range(2)]
    client = staff("view_review", "change_review")
    url = "/admin/shop/review/"
    post: dict[str, Any] = {"action": "approve", "_selected_action": [row.pk for row in chosen]}
    page = client.post(url, post)
    assert "It gives light." in page.content.decode()
    assert not Review.objects.filter(is_approved=True).exists()
    read_at = page.context["form"].initial["read_at"]
    client.post(url, post | {"confirmed": "yes", "read_at": read_at})
    assert Review.objects.filter(is_approved=True).count() == 2
    no_reason = post | {"action": "refuse", "confirmed": "yes", "read_at": read_at}
    assert client.post(url, no_reason).status_code == 200
    assert Review.objects.filter(is_approved=True).count() == 2
    client.post(url, no_reason | {"reason": "Off topic."})
    assert {row.refusal for row in Review.objects.all()} == {"Off topic."}
    assert client.get(f"{url}?state=refused").status_code == 200
    assert client.get(f"{url}?state=waiting").status_code == 200


def test_who_may_only_look_cannot_decide(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = False
    variant = make_variant(units=9)
    review = written(buyer_of(variant), variant.product)
    post = {"action": "approve", "_selected_action": [review.pk], "confirmed": "yes"}
    staff("view_review").post("/admin/shop/review/", post | {"read_at": timezone.now()})
    assert Review.objects.get().state == "waiting"
