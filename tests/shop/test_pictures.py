from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from shop import pictures
from shop.models import ProductImage
from shop.templatetags.shop import money, picture_url, srcset
from tests.factories import make_variant


def make_image(*, size: tuple[int, int], kind: str) -> ProductImage:
    body = BytesIO()
    Image.new("RGB", size, "olive").save(body, kind)
    file = ContentFile(body.getvalue(), name=f"lamp.{kind.lower()}")
    return ProductImage.objects.create(product=make_variant().product, alt="A lamp", file=file)


def sizes(image: ProductImage) -> list[tuple[str | None, tuple[int, int]]]:
    found = []
    for width in pictures.WIDTHS:
        name = pictures.rendition_name(name=str(image.file.name), width=width)
        with image.file.storage.open(name) as file, Image.open(file) as picture:
            found.append((picture.format, picture.size))
    return found


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_saving_a_picture_makes_its_widths_as_webp(db: None, kind: str) -> None:
    image = make_image(size=(1600, 1200), kind=kind)
    assert (image.width, image.height) == (1600, 1200)
    assert sizes(image) == [("WEBP", (400, 300)), ("WEBP", (800, 600))]


def test_a_small_picture_is_still_there_in_every_width(db: None) -> None:
    assert sizes(make_image(size=(100, 100), kind="PNG")) == [
        ("WEBP", (400, 400)),
        ("WEBP", (800, 800)),
    ]


def test_saving_again_leaves_the_widths_alone(db: None) -> None:
    image = make_image(size=(800, 800), kind="WEBP")
    name = pictures.rendition_name(name=str(image.file.name), width=400)
    made = image.file.storage.get_modified_time(name)
    image.alt = "A lamp from near"
    image.save()
    assert image.file.storage.get_modified_time(name) == made


def test_templates_name_the_widths(db: None) -> None:
    image = make_image(size=(800, 800), kind="WEBP")
    base = image.file.url.removesuffix(".webp")
    assert picture_url(image, 400) == f"{base}-400w.webp"
    assert srcset(image) == f"{base}-400w.webp 400w, {base}-800w.webp 800w"


def test_money_is_written_as_the_page_s_language_does() -> None:
    assert money(49) == "€49.00"  # type: ignore[arg-type]  # templates pass whole numbers, too
