"""Paths of pages that differ in one word, such as a product's: looked up once, and then put together.

Django's `reverse` takes longer than drawing a price, and a page of products names dozens.
"""

from functools import cache

from django.urls import reverse

#: A word that is a slug as well as a UUID.
ANY_WORD = "00000000-0000-0000-0000-000000000000"


def path_to(name: str, word: str) -> str:
    """What `reverse(name, args=[word])` gives for a slug, or for a UUID as text."""
    before, after = _around(name)
    return f"{before}{word}{after}"


@cache
def _around(name: str) -> tuple[str, str]:
    before, after = reverse(name, args=[ANY_WORD]).split(ANY_WORD)
    return before, after
