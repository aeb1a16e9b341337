"""A merchant's own colour on the page of the line, held to what people can see.

The colour is the ground of buttons and the fill of the way to the front, on the page's light and dark surfaces.
WCAG 2.2 wants 3:1 for such parts (1.4.11) and 4.5:1 for the words on them (1.4.3). A colour that does not stand out
from both surfaces is refused with the nearest shade that does; the words on it are black or white, whichever reads
better, and one of them always reads well enough.
"""

import hashlib
import re

#: A colour as it is written, in capitals or not.
COLOUR = r"^#[0-9a-fA-F]{6}\Z"
#: --surface and --paper of both themes; static/css/tokens.css has them, and a test compares.
SURFACES = {"light": ("#ffffff", "#fbfaf8"), "dark": ("#1d211f", "#151816")}
#: WCAG 2.2, 1.4.11: parts of a page that one must be able to tell from what is around them.
NEEDED = 3.0
BLACK, WHITE = "#000000", "#ffffff"

RGB = tuple[int, int, int]


def is_colour(text: str) -> bool:
    return re.match(COLOUR, text) is not None


def contrast(one: str, other: str) -> float:
    """The contrast of two colours such as "#1d4a3e", from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def words_on(colour: str) -> str:
    """Black or white, whichever has the higher contrast with the colour: 4.58 or more, whatever it is."""
    return max(BLACK, WHITE, key=lambda words: contrast(words, colour))


def too_close(colour: str) -> dict[str, float]:
    """The themes from whose surfaces a colour does not stand out, and its lowest contrast there."""
    lowest = {
        theme: min(contrast(colour, surface) for surface in surfaces)
        for theme, surfaces in SURFACES.items()
    }
    return {theme: measured for theme, measured in lowest.items() if measured < NEEDED}


def nearest_shade(colour: str) -> str:
    """The same colour as much darker or lighter as it takes to stand out from every surface."""
    start = _rgb(colour)
    end = (0, 0, 0) if "light" in too_close(colour) else (255, 255, 255)
    shades = (
        _hex(tuple(round(a + (b - a) * step / 100) for a, b in zip(start, end, strict=True)))
        for step in range(101)
    )
    return next(shade for shade in shades if not too_close(shade))


def stylesheet(colour: str) -> str:
    """The rules that give the page of the line a sale's colour."""
    return (
        ".status .button:not(.button-quiet, .button-danger), .status .meter, .status .switch {\n"
        f"  --action: {colour};\n"
        f"  --action-hover: {colour};\n"
        f"  --on-action: {words_on(colour)};\n"
        "}\n"
    )


def etag(colour: str) -> str:
    """The quoted entity tag of a colour's stylesheet: it changes with the colour and with the rules around it."""
    return f'"{hashlib.sha256(stylesheet(colour).encode()).hexdigest()[:16]}"'


def _rgb(colour: str) -> RGB:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(rgb: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02x}" for part in rgb)


def _luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, from sRGB as IEC 61966-2-1 defines it)."""
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in _rgb(colour))
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)
