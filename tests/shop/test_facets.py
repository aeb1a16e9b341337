from decimal import Decimal

import pytest
from django.http import QueryDict
from pytest_django import DjangoAssertNumQueries

from shop import catalogue, facets, search
from shop.listing import PER_PAGE, Listing
from shop.models import Product, Variant
from shop.wanted import MOST_KINDS, parse
from tests.factories import make_variant

pytestmark = pytest.mark.django_db


def listing(address: str = "", *, page: int = 1, query: str = "") -> Listing:
    wanted = parse(QueryDict(address), query=query)
    return facets.show(products=search.matching(query=query), wanted=wanted, page=page)


def shelf() -> dict[str, Product]:
    """Three things: dear oak, cheap and reduced oak that is sold out, and elm between them."""
    dear = make_variant(units=1, name="Oak", price=Decimal(90)).product
    cheap = make_variant(name="Oak", price=Decimal(10), compare_at_price=Decimal(20)).product
    middle = make_variant(units=3, name="Elm", price=Decimal(50)).product
    return {"dear": dear, "cheap": cheap, "middle": middle}


def counts(shown: Listing) -> dict[str, int | None]:
    return {kind.value: kind.count for kind in shown.kinds}


def test_each_facet_counts_what_there_would_be_with_the_other_wishes() -> None:
    shelf()
    shown = listing()
    assert (counts(shown), shown.in_stock, shown.reduced) == ({"Elm": 1, "Oak": 2}, 2, 1)
    shown = listing("stock=1")
    assert (counts(shown), shown.in_stock, shown.reduced) == ({"Elm": 1, "Oak": 1}, 2, 0)
    shown = listing("kind=Oak")
    assert (counts(shown), shown.in_stock, shown.reduced) == ({"Elm": 1, "Oak": 2}, 1, 1)


def test_of_equally_frequent_kinds_the_first_by_name_are_offered() -> None:
    names = [f"Kind {number:02d}" for number in range(MOST_KINDS + 2)]
    for name in reversed(names):
        make_variant(name=name)
    make_variant(name=names[-1])
    assert list(counts(listing())) == [*names[: MOST_KINDS - 1], names[-1]]


def test_wishes_narrow_the_list_together() -> None:
    things = shelf()
    assert listing("kind=Oak&stock=1").products == [things["dear"]]
    assert listing("kind=Oak&kind=Elm").total == 3
    assert listing("min=20&max=60").products == [things["middle"]]
    assert listing("min=60&max=20").products == [things["middle"]]  # the wrong way round
    assert listing("reduced=1").products == [things["cheap"]]
    assert listing("reduced=1&stock=1").products == []


def test_lists_are_sorted_by_what_is_asked_for() -> None:
    things = shelf()
    dear, cheap, middle = things["dear"], things["cheap"], things["middle"]
    Product.objects.filter(pk=middle.pk).update(name="Another name")
    for address, order in {
        "": [middle, cheap, dear],
        "sort=price": [cheap, middle, dear],
        "sort=-price": [dear, middle, cheap],
        "sort=nonsense": [middle, cheap, dear],
        "sort=best": [middle, cheap, dear],
    }.items():
        assert listing(address).products == order, address


def test_a_search_is_sorted_by_rank_and_can_be_sorted_otherwise() -> None:
    things = shelf()
    Product.objects.filter(pk=things["dear"].pk).update(name="Lantern")
    Product.objects.filter(pk=things["cheap"].pk).update(description="As a lantern.")
    assert listing(query="lantern").products == [things["dear"], things["cheap"]]
    assert listing("sort=price", query="lantern").products == [things["cheap"], things["dear"]]


def test_a_wish_is_taken_away_by_its_pill() -> None:
    shelf()
    shown = listing("kind=Oak&kind=Elm&stock=1&max=60&sort=price")
    assert [(pill.name, pill.address) for pill in shown.pills] == [
        ("kind", "kind=Oak&max=60&stock=1&sort=price"),
        ("kind", "kind=Elm&max=60&stock=1&sort=price"),
        ("max", "kind=Elm&kind=Oak&stock=1&sort=price"),
        ("stock", "kind=Elm&kind=Oak&max=60&sort=price"),
    ]
    assert shown.unfiltered == "sort=price"


def test_what_nobody_can_have_meant_is_left_out() -> None:
    shelf()
    for address in (
        "min=abc&max=1e999",
        "min=-1",
        "min=NaN&max=Infinity",
        "min=1e11",
        "stock=yes&reduced=on",
        "kind=&kind=%20",
        "page=x",
    ):
        assert not parse(QueryDict(address)).narrows, address
    assert listing("kind=" + "x" * 5000).total == 0
    assert parse(QueryDict("min=19,90")).price_min == Decimal("19.90")


def test_a_page_that_is_not_there_is_the_nearest_one() -> None:
    for _ in range(PER_PAGE + 1):
        make_variant()
    assert (listing(page=99).number, len(listing(page=99).products)) == (2, 1)
    seen = [product.pk for page in (1, 2) for product in listing("sort=price", page=page).products]
    assert len(set(seen)) == PER_PAGE + 1


def test_a_list_that_is_too_long_says_more_than_and_no_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    things = shelf()
    monkeypatch.setattr(facets, "MOST", 2)
    shown = listing("sort=price")
    assert (shown.total, shown.is_more, shown.in_stock) == (2, True, None)
    assert set(counts(shown).values()) == {None}
    assert shown.products[0] == things["cheap"]
    narrowed = listing("kind=Elm")
    assert (narrowed.products, narrowed.total, narrowed.is_more) == ([things["middle"]], 1, False)
    for address, query in (("min=9999", "lamp"), ("min=9999&sort=price", "")):
        nothing = listing(address, query=query)
        assert (nothing.products, nothing.total, nothing.is_more) == ([], 0, False)


@pytest.mark.parametrize("size", [3, 60])
def test_a_list_takes_the_same_queries_whatever_it_holds(
    size: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(size):
        make_variant(units=number % 3, name=f"Kind {number}")
    Variant.objects.update(compare_at_price=Decimal(200))
    with django_assert_max_num_queries(7):
        shown = listing("stock=1&sort=price")
        [product.images.all() for product in shown.products]


def test_lists_show_what_the_catalogue_shows() -> None:
    things = shelf()
    Product.objects.filter(pk=things["dear"].pk).update(is_published=False)
    Variant.objects.filter(product=things["middle"]).update(is_active=False)
    assert listing().products == list(catalogue.published()) == [things["cheap"]]
