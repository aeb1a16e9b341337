"""What the style sheets promise: contrast in both themes, and nothing that a script from right to left would break."""

import re
from collections.abc import Mapping

import pytest
from django.conf import settings

SHEETS = sorted((settings.BASE_DIR / "static" / "css").glob("*.css"))
#: Text on its ground.
TEXT_PAIRS = (
    *((text, ground) for text in ("ink", "ink-soft") for ground in ("paper", "surface", "sunken")),
    ("on-action", "action"),
    ("on-action", "action-hover"),
    *(("action", ground) for ground in ("paper", "surface", "action-wash")),
    ("ink", "action-wash"),
    ("on-ember", "ember"),
    *(("ember", ground) for ground in ("paper", "surface", "ember-wash")),
    *((word, ground) for word in ("good", "care", "bad") for ground in ("paper", "surface")),
    *((word, f"{word}-wash") for word in ("good", "care", "bad")),
    *(("ink", f"{word}-wash") for word in ("good", "care", "bad", "ember")),
    ("on-strip", "strip"),
    ("paper", "ink"),
    ("surface", "bad"),
)
#: Borders of controls and marks, and the ring around what has the focus.
SHAPE_PAIRS = tuple(
    (shape, ground)
    for shape in ("edge", "focus", "action")
    for ground in ("paper", "surface", "sunken")
)
PHYSICAL = re.compile(
    r"(?<![\w-])(?:margin|padding|border(?:-\w+)?)-(?:left|right)\b|(?<![\w-])(?:left|right)\s*:"
    r"|(?:text-align|float|clear|object-position|background-position)\s*:[^;]*\b(?:left|right)\b"
)


def colours(theme: str) -> Mapping[str, str]:
    sheet = (settings.BASE_DIR / "static" / "css" / "tokens.css").read_text()
    light, _, dark = sheet.partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if theme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
    return found


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`: WCAG 2.2, "relative luminance"."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 to 21: WCAG 2.2, "contrast ratio"."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def too_faint(theme: str, pairs: tuple[tuple[str, str], ...], *, least: float) -> list[str]:
    found = colours(theme)
    return [
        f"{front} on {ground}: {contrast(found[front], found[ground]):.2f}"
        for front, ground in pairs
        if contrast(found[front], found[ground]) < least
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half(theme: str) -> None:
    assert too_faint(theme, TEXT_PAIRS, least=4.5) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_borders_of_controls_and_the_focus_have_a_contrast_of_three(theme: str) -> None:
    assert too_faint(theme, SHAPE_PAIRS, least=3) == []


def test_the_measure_of_contrast_is_the_standards() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert too_faint("light", (("hairline", "paper"),), least=3) != []


def test_no_sheet_says_left_or_right() -> None:
    found = [
        f"{sheet.name}: {match[0]}"
        for sheet in SHEETS
        for match in PHYSICAL.finditer(sheet.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "rule", ["margin-left: 1px", "left: 0", "text-align: right", "border-right-color: red"]
)
def test_a_sheet_that_did_would_be_found(rule: str) -> None:
    assert PHYSICAL.search(f".x {{ {rule}; }}")


def test_a_sheet_uses_no_token_that_there_is_not() -> None:
    tokens = set(re.findall(r"--([\w-]+):", "".join(sheet.read_text() for sheet in SHEETS)))
    # The admin's sheet uses Django's own tokens.
    for sheet in (sheet for sheet in SHEETS if sheet.name != "admin.css"):
        assert set(re.findall(r"var\(--([\w-]+)\)", sheet.read_text())) <= tokens, sheet.name
