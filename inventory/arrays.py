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
    return "{" + ",".join([_quoted(str(value)) for value in values]) + "}"


def _quoted(text: str) -> str:
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
