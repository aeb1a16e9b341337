"""A merchant's own text, logo and colour on the page of the line."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from flashsale import looks
from flashsale.admin.sale_form import SaleForm
from flashsale.models import Sale
from tests.factories import make_draft, make_sale

pytestmark = pytest.mark.django_db

GREEN = "#2e7d5b"


def form_of(sale: Sale, *, files: dict[str, Any] | None = None, **changes: Any) -> SaleForm:
    """The admin's form for a sale, with what the merchant changes."""
    fields = {"line_text", "line_logo_alt", "line_colour", "name", "slug", "queue_mode"}
    fields |= {"limit_per_shopper", "hold_seconds", "admission_cap", "admission_seconds"}
    fields |= {"lobby_opens_at", "opens_at", "closes_at"}
    data = {name: getattr(sale, name) for name in fields}
    return SaleForm(data | changes, files, instance=sale)


def picture(kind: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("RGB", (900, 300), (200, 40, 20)).save(file, format=kind)
    return file.getvalue()


def uploaded(body: bytes) -> dict[str, Any]:
    return {"line_logo": SimpleUploadedFile("logo.png", body, content_type="image/png")}


# Contrast


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.00),
    ],
)
def test_contrast_is_measured_as_wcag_says(one: str, other: str, ratio: float) -> None:
    assert looks.contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert looks.contrast(other, one) == looks.contrast(one, other)


def test_words_on_any_colour_read_well_enough() -> None:
    steps = range(0, 256, 15)
    colours = [
        f"#{red:02x}{green:02x}{blue:02x}" for red in steps for green in steps for blue in steps
    ]
    worst = min(looks.contrast(looks.words_on(colour), colour) for colour in colours)
    assert worst >= 4.5
    assert (looks.words_on("#ffd000"), looks.words_on("#1d4a3e")) == ("#000000", "#ffffff")


def test_the_surfaces_are_those_of_the_stylesheet() -> None:
    css = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    for theme, part in zip(("light", "dark"), css.split("prefers-color-scheme: dark"), strict=True):
        found = dict(re.findall(r"--(\w+): (#\w{6});", part))
        assert looks.SURFACES[theme] == (found["surface"], found["paper"])


@pytest.mark.parametrize(
    "colour", ["#ffd000", "#ffffff", "#000000", "#000080", "#1d4a3e", "#abc123"]
)
def test_the_shade_that_is_offered_is_one_that_is_taken(colour: str) -> None:
    assert looks.too_close(colour)
    shade = looks.nearest_shade(colour)
    assert looks.too_close(shade) == {}


# The admin's form


def test_a_colour_that_does_not_stand_out_is_refused_with_what_was_measured() -> None:
    form = form_of(make_draft(), line_colour="#FFD000")
    assert form.errors["line_colour"] == [
        "#ffd000 has a contrast of 1.41:1 with the light page, and 3:1 is needed with both the light "
        f"and the dark one. The nearest shade that has it is {looks.nearest_shade('#ffd000')}."
    ]
    dark = form_of(make_draft(), line_colour="#000080").errors["line_colour"]
    assert "#000080 has a contrast of 1.02:1 with the dark page" in dark[0]


@pytest.mark.parametrize(
    "colour", ["green", "#fff", "2e7d5b", "#2e7d5b;}", "#2e7d5g", "#2e7d5b\n*"]
)
def test_what_is_no_colour_is_refused(colour: str) -> None:
    assert "line_colour" in form_of(make_draft(), line_colour=colour).errors


def test_a_look_is_saved_and_may_change_while_the_sale_runs() -> None:
    sale = Sale.objects.get(pk=make_sale().id)
    form = form_of(
        sale,
        files=uploaded(picture()),
        line_colour=GREEN.upper(),
        line_text="Two to a kiln.",
        line_logo_alt="The potter's mark",
    )
    assert form.errors == {}
    saved = form.save()
    saved.refresh_from_db()
    assert (saved.line_colour, saved.line_text) == (GREEN, "Two to a kiln.")
    assert (saved.line_logo_width, saved.line_logo_height) == (900, 300)


def test_a_text_that_is_too_long_and_a_logo_that_is_no_picture_are_refused() -> None:
    form = form_of(make_draft(), files=uploaded(b"<svg onload='x'>"), line_text="x" * 501)
    assert {"line_text", "line_logo"} <= set(form.errors)


# The page


def look_of(**fields: Any) -> Sale:
    sale = Sale.objects.get(pk=make_sale(queue_mode=Sale.QueueMode.FIRST_COME).id)
    for name, value in fields.items():
        setattr(sale, name, value)
    sale.save()
    return sale


def test_the_page_shows_the_look_and_the_text_is_plain(client: Client) -> None:
    logo = SimpleUploadedFile("mark.png", picture())
    sale = look_of(
        line_colour=GREEN, line_text="Made <b>once</b>.", line_logo=logo, line_logo_alt="The mark"
    )
    page = client.get(f"/sales/{sale.slug}/line/").content.decode()
    assert f'<link rel="stylesheet" href="/sales/{sale.slug}/line.css">' in page
    assert "Made &lt;b&gt;once&lt;/b&gt;." in page
    shown = re.search(
        r'class="line-logo" src="([^"]+)" alt="The mark" width="900" height="300"', page
    )
    assert shown is not None
    assert shown[1].endswith("-400w.webp")
    kept = Path(settings.MEDIA_ROOT) / shown[1].removeprefix("/media/")
    with Image.open(kept) as rendition:
        assert (rendition.format, rendition.size) == ("WEBP", (400, 133))


def test_a_sale_without_a_look_asks_for_no_stylesheet(client: Client) -> None:
    sale = look_of()
    page = client.get(f"/sales/{sale.slug}/line/").content.decode()
    assert "line.css" not in page
    assert "line-logo" not in page
    assert client.get(f"/sales/{sale.slug}/line.css").status_code == 404


def test_the_stylesheet_is_kept_by_caches_and_changes_its_tag_with_the_colour(
    client: Client,
) -> None:
    sale = look_of(line_colour=GREEN)
    address = f"/sales/{sale.slug}/line.css"
    answer = client.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert f"--action: {GREEN};" in answer.content.decode()
    assert "--on-action: #ffffff;" in answer.content.decode()
    assert answer["Cache-Control"] == "public, max-age=60"
    assert "Cookie" not in answer.get("Vary", "")
    tag = answer["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    Sale.objects.filter(pk=sale.pk).update(line_colour="#8a5a00")
    again = client.get(address, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again["ETag"] != tag


def test_a_draft_shows_nobody_its_colour(client: Client) -> None:
    draft = make_draft(line_colour=GREEN)
    assert client.get(f"/sales/{draft.slug}/line.css").status_code == 404
