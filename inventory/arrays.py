"""Arrays for PostgreSQL, written in one go.

psycopg adapts a list element by element and searches each one for what needs quotes; for the arrays of a batch that
takes as long as all the rest of its work in Python.
"""

from collections.abc import Iterable


def array(values: Iterable[object]) -> str:
    """A list as the text of a PostgreSQL array: `%s::int[]` reads it. Elements are what `str` makes of them.

    It takes its time for a UUID or a moment: give those as `hex` and `timestamp()`. Every element is quoted, as the
    manual's chapter on array input says (8.15.6).
    """
    texts = list(map(str, values))
    if not texts:
        return "{}"
    inside = '","'.join(texts)
    if "\\" in inside or inside.count('"') > 2 * (len(texts) - 1):
        inside = '","'.join(map(_escaped, texts))
    return f'{{"{inside}"}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
