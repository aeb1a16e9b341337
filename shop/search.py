"""Finding products by words, also by parts of words and by misspelt ones.

A word is looked for in a stored vector that the database keeps (migration 0006): names weigh more than kinds, SKUs
and the category, and these more than descriptions. What is typed last may be the beginning of a word. When nothing
matches, each unknown word is exchanged for the nearest one of the catalogue's names, and the page says so.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from shop.catalogue import published
from shop.models import Category, Product, SearchWord

#: Signs of a search that are looked at; longer ones are not words any more.
QUERY_LENGTH = 100
#: Words of a search that may be corrected, as each costs a look at the index, and signs of the shortest that is.
MOST_CORRECTED, SHORTEST_CORRECTED = 6, 3
#: How alike a word must be to what was typed, from 0 to 1: "lmap" and "lamp" are 0.75, "lamp" and "desk" 0.
LIKENESS = 0.6
#: Words that the database offers as near, before likeness is judged here.
NEAR_WORDS = 200
#: Suggestions while typing: products and categories. The first may be looked for among so many matches.
SUGGESTED, SUGGESTED_CATEGORIES, LOOKED_AT = 6, 2, 200
#: Known words that go on from what is typed, the most frequent, and products that are kept of each.
CONTINUATIONS, BEST_OF_WORD = 8, 12
#: Signs from which suggestions are made: one letter begins every other word.
SHORTEST_SUGGESTED = 2
WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
#: A search that is words alone, and so may end in the beginning of one; others use quotes, minus or OR.
PLAIN = re.compile(r"[\w\s'’-]*")
EXCLUDES = re.compile(r"(?:^|\s)-|(?:^|\s)or\s", re.IGNORECASE)

#: The best of a word have it in their names, then the highest ratings, and are the newest.
GATHER_WORDS = """
INSERT INTO shop_searchword (word, products, best)
SELECT word, count(*), (array_agg(id ORDER BY weight, rating DESC, id DESC))[:%(best)s]
FROM (
    SELECT product.id, product.rating, found.lexeme AS word, found.weights[1] AS weight
    FROM shop_product product
    JOIN shop_category category ON category.id = product.category_id,
    LATERAL unnest(
        setweight(to_tsvector('simple', product.name), 'A')
        || setweight(to_tsvector('simple', concat_ws(' ', product.summary, category.name,
            (SELECT string_agg(variant.name, ' ') FROM shop_variant variant
             WHERE variant.product_id = product.id AND variant.is_active))), 'B')
    ) found
    WHERE product.is_published AND product.price_from IS NOT NULL
) named
WHERE length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]'
GROUP BY word
ON CONFLICT (word) DO UPDATE SET products = excluded.products, best = excluded.best
"""
#: Near a word: by its trigrams, or about as long and with the same beginning; or it holds what was typed.
FIND_NEAR = """
SELECT typed.word, near.word, near.products
FROM unnest(%(words)s::text[]) AS typed (word), LATERAL (
    SELECT known.word, known.products FROM shop_searchword known
    WHERE known.word %% typed.word OR known.word LIKE '%%' || typed.word || '%%'
        OR (known.word LIKE left(typed.word, 1) || '%%'
            AND length(known.word) BETWEEN length(typed.word) - 1 AND length(typed.word) + 1)
    ORDER BY similarity(known.word, typed.word) DESC, known.products DESC, known.word
    LIMIT %(limit)s
) near
"""
#: An advisory lock's number: words are learnt by one at a time.
LEARN_LOCK = 0x7EA4


@dataclass(frozen=True, slots=True)
class Suggestions:
    products: list[Product]
    categories: list[Category]

    def __bool__(self) -> bool:
        return bool(self.products or self.categories)


def clean(query: str) -> str:
    """What was typed, as far as it is looked at."""
    return " ".join(query.replace("\x00", "")[:QUERY_LENGTH].split())


def matching(*, query: str, among: QuerySet[Product] | None = None) -> QuerySet[Product]:
    """Products whose words match, each with its `rank`: web search syntax, or words of which the last may go on.

    They are looked for among all that are published, unless it is said among which. An empty query finds everything,
    the newest first.
    """
    query = clean(query)
    products = published() if among is None else among
    if not query:
        return products
    words = SearchQuery(query, search_type="websearch", config="english")
    if beginning := _beginning(query):
        words |= SearchQuery(beginning, search_type="raw", config="simple")
    rank = SearchRank(F("search"), words)
    return products.filter(search=words).annotate(rank=rank).order_by("-rank", "-id")


def correct(*, query: str) -> str:
    """The query with each word that no name has exchanged for the nearest one; '' when nothing is near."""
    words = [word.lower() for word in WORD.findall(clean(query))][:MOST_CORRECTED]
    known: dict[str, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        long_ones = list({word for word in words if len(word) >= SHORTEST_CORRECTED})
        cursor.execute(FIND_NEAR, {"words": long_ones, "limit": NEAR_WORDS})
        for word, near, products in cursor.fetchall():
            known[word][near] = products
    nearest = [_nearest(word, known[word]) for word in words]
    corrected = " ".join(word for word in nearest if word)
    return "" if corrected == " ".join(words) else corrected


def suggest(*, query: str) -> Suggestions:
    """What somebody who is still typing may mean; nothing before the second sign."""
    query = clean(query)
    beginning = _beginning(query, weights="AB")
    if len(query) < SHORTEST_SUGGESTED or not beginning:
        return Suggestions([], [])
    words = SearchQuery(beginning, search_type="raw", config="simple")
    products = _best(words, _known(query)) if WORD.fullmatch(query) else []
    if len(products) < SUGGESTED:
        some = published().order_by().filter(search=words).values("pk")[:LOOKED_AT]
        products = _best(words, some)
    named = Q(name__istartswith=query) | Q(name__icontains=f" {query}")
    categories = Category.objects.filter(named)[:SUGGESTED_CATEGORIES]
    return Suggestions(products, list(categories))


def _known(beginning: str) -> list[int]:
    """The best products of the words that go on from what is typed, by their ids.

    The index is not asked, because it would gather all that matches: two signs may match everything there is.
    """
    words = SearchWord.objects.filter(word__startswith=beginning.lower()).order_by("-products")
    best = words.values_list("best", flat=True)[:CONTINUATIONS]
    return list({pk for pks in best for pk in pks})


def _best(words: SearchQuery, some: Iterable[int] | QuerySet[Any]) -> list[Product]:
    """The products to suggest among these ids."""
    found = published().prefetch_related(None).filter(pk__in=some)
    # By their rank: asked whether they match, the database might turn to the index after all.
    ranked = found.annotate(rank=SearchRank(F("search"), words)).filter(rank__gt=0)
    return list(ranked.order_by("-rank", "-rating", "-id")[:SUGGESTED])


def learn_words() -> None:
    """Gather the words of the catalogue's names anew. Safe to run twice, and at once with itself."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEARN_LOCK])
        SearchWord.objects.update(products=0)
        cursor.execute(GATHER_WORDS, {"best": BEST_OF_WORD})
        SearchWord.objects.filter(products=0).delete()


def _beginning(query: str, *, weights: str = "") -> str:
    """A raw tsquery of all words, the last of which may go on; '' for a query that says more than words.

    `weights` are the parts of the vector that are looked at: A names, B kinds, SKUs, summary and category.
    """
    if not PLAIN.fullmatch(query) or EXCLUDES.search(query):
        return ""
    words = re.findall(r"[^\W_]+", query)
    *whole, last = words or [""]
    terms = [f"'{word}':{weights}" if weights else f"'{word}'" for word in whole]
    return " & ".join([*terms, f"'{last}':*{weights}"]) if last else ""


def _nearest(word: str, known: Mapping[str, int]) -> str:
    """The word itself where it is known, or the nearest known one; '' when there is none.

    `known` are words that may be near, each with the number of its products.
    """
    if word in known or len(word) < SHORTEST_CORRECTED:
        return word
    if holding := [other for other in known if word in other]:
        return min(holding, key=lambda other: (len(other), other))
    likeness = {other: SequenceMatcher(None, word, other).ratio() for other in known}
    best = max(known, key=lambda other: (likeness[other], known[other], other), default="")
    return best if best and likeness[best] >= LIKENESS else ""
