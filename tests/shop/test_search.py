from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from shop import search
from shop.models import Category, Product, SearchWord, Variant
from tests.factories import make_variant

pytestmark = pytest.mark.django_db


def names(products: object) -> list[str]:
    return [product.name for product in products]  # type: ignore[attr-defined]  # any iterable


def rename(variant: Variant, name: str, **fields: str) -> Product:
    Product.objects.filter(pk=variant.product_id).update(name=name, **fields)
    return Product.objects.get(pk=variant.product_id)


def test_search_ranks_the_name_above_the_description() -> None:
    rename(make_variant(), "Oak tray", description="For pens, and for a lantern.")
    rename(make_variant(), "Lantern", description="Burns oil.")
    assert names(search.matching(query="lanterns")) == ["Lantern", "Oak tray"]


def test_search_finds_the_beginning_of_a_word_a_sku_a_colour_and_a_category() -> None:
    variant = make_variant(sku="QX-77", name="Persimmon")
    product = rename(variant, "Candlestick")
    make_variant()
    for query in ("candl", "qx-77", "persimm", "lamps candlestick", '"candlestick"'):
        assert list(search.matching(query=query)) == [product], query


def test_what_is_excluded_is_not_found_by_the_beginning_of_its_words() -> None:
    rename(make_variant(), "Oak lantern")
    other = rename(make_variant(), "Elm lantern")
    assert list(search.matching(query="lantern -oak")) == [other]
    assert names(search.matching(query="lantern")) == ["Elm lantern", "Oak lantern"]


def test_the_vector_follows_variants_categories_and_what_is_not_active() -> None:
    variant = make_variant(name="Teal")
    Variant.objects.filter(pk=variant.pk).update(name="Rust")
    assert not search.matching(query="teal").exists()
    assert search.matching(query="rust").exists()
    Category.objects.update(name="Shades")
    assert search.matching(query="shades").exists()
    second = Variant.objects.create(product=variant.product, sku="B", name="Plum", price=1)
    assert search.matching(query="plum").exists()
    second.delete()
    assert not search.matching(query="plum").exists()


def test_saving_a_stale_product_does_not_bring_stale_figures_back() -> None:
    stale = make_variant().product
    Variant.objects.filter(product=stale).update(price=7, compare_at_price=9)
    stale.name = "Another name"
    stale.save()
    stale.refresh_from_db()
    assert (stale.price_from, stale.is_reduced) == (Decimal(7), True)
    assert search.matching(query="another").exists()


def test_misspelt_words_become_the_nearest_known_ones() -> None:
    rename(make_variant(name="Oak"), "Candlestick lantern")
    search.learn_words()
    for typed, meant in (
        ("lantren", "lantern"),
        ("candelstick", "candlestick"),
        ("ndlest", "candlestick"),
        ("okk lantern", "oak lantern"),
        ("Lmaps", "lamps"),
    ):
        assert search.correct(query=typed) == meant, typed


def test_nothing_is_offered_for_what_is_known_or_near_nothing() -> None:
    rename(make_variant(), "Lantern")
    assert search.correct(query="lantrn") == ""  # nothing was learnt
    search.learn_words()
    assert search.correct(query="lantrn") == "lantern"
    for typed in ("lantern", "qqqqqq", "", "!!", "x"):
        assert search.correct(query=typed) == "", typed


def test_learning_forgets_the_words_of_what_is_not_published() -> None:
    product = rename(make_variant(), "Secretlamp")
    search.learn_words()
    assert SearchWord.objects.filter(word="secretlamp").exists()
    Product.objects.filter(pk=product.pk).update(is_published=False)
    search.learn_words()
    search.learn_words()
    assert not SearchWord.objects.filter(word="secretlamp").exists()


def test_a_misspelt_search_leads_on_to_what_was_meant_and_says_so(client: Client) -> None:
    product = rename(make_variant(), "Lantern")
    search.learn_words()
    answer = client.get("/search/", {"q": "<lantren>"})
    assert answer["Location"] == "/search/?q=lantern&typed=%3Clantren%3E"
    page = client.get(answer["Location"])
    assert page.context["listing"].products == [product]
    assert "Nothing here is called “&lt;lantren&gt;”. Did you mean" in page.content.decode()
    assert "Did you mean" not in client.get("/search/", {"q": "lantern"}).content.decode()


def test_nobody_is_led_in_a_circle(client: Client) -> None:
    rename(make_variant(), "Lantern")
    search.learn_words()
    Product.objects.update(is_published=False)  # the words are old
    answer = client.get("/search/", {"q": "lantren"}, follow=True)
    assert (answer.status_code, len(answer.redirect_chain)) == (200, 1)


def test_a_search_without_a_result_helps(client: Client) -> None:
    variant = make_variant()
    page = client.get("/search/", {"q": "submarine"}).content.decode()
    assert "Nothing found" in page
    assert 'href="/c/lamps/"' in page
    assert variant.product.get_absolute_url() in page


@pytest.mark.parametrize(
    "query",
    ['"unclosed', "a & | !", "%_", "x" * 10_000, "-lamp", "' OR 1=1 --", "'''", "a:*b", "or", "\\"],
)
def test_search_takes_whatever_people_type(client: Client, query: str) -> None:
    make_variant()
    search.learn_words()
    for address in ("/search/", "/search/suggestions/"):
        assert client.get(address, {"q": query}).status_code == 200
    list(search.matching(query=query + "\x00"))


def test_an_empty_search_finds_everything() -> None:
    make_variant()
    assert len(search.matching(query="  ")) == 1


def test_suggestions_are_products_and_categories_from_the_second_sign_on(client: Client) -> None:
    product = rename(make_variant(), "Lantern")
    hidden = rename(make_variant(), "Lancet")
    Product.objects.filter(pk=hidden.pk).update(is_published=False)
    assert not search.suggest(query="l")
    found = search.suggest(query="la")
    assert (found.products, names(found.categories)) == ([product], ["Lamps"])
    page = client.get("/search/suggestions/", {"q": "lan"}).content.decode()
    assert 'role="option" data-href="/p/' in page
    assert "Lancet" not in page


def test_suggestions_are_the_best_of_the_words_that_were_learnt_without_a_look_at_the_index() -> (
    None
):
    lanterns = [rename(make_variant(), f"Lantern {number}") for number in range(search.SUGGESTED)]
    other = rename(make_variant(), "Beside it")
    Product.objects.filter(pk=other.pk).update(summary="It goes with a lantern.")
    search.learn_words()
    with CaptureQueriesContext(connection) as asked:
        found = search.suggest(query="LA").products
    assert found == lanterns[::-1]
    assert not any("@@" in query["sql"] for query in asked.captured_queries)


def test_where_too_few_were_learnt_the_index_is_asked_and_nothing_withdrawn_is_suggested() -> None:
    gone, learnt = (rename(make_variant(), f"Lantern {number}") for number in range(2))
    search.learn_words()
    Product.objects.filter(pk=gone.pk).update(is_published=False)
    new = rename(make_variant(), "Lantern, the newest")
    assert set(search.suggest(query="lan").products) == {learnt, new}
    assert search.suggest(query="lantern new").products == [new]
