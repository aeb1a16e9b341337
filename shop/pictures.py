"""Smaller widths of product pictures, made once when a picture is saved.

Making them at the first view would be a stampede at the moment a sale opens.
"""

from io import BytesIO
from pathlib import PurePosixPath

from django.core.files.base import ContentFile
from django.db.models.fields.files import FieldFile
from PIL import Image, ImageOps

#: Pixels. Two sizes: a card on a grid and a picture that fills a telephone; the layout never shows more.
WIDTHS = (400, 800)
#: WebP quality at which the pictures' grain survives at about a tenth of their JPEG's size.
QUALITY = 82


def rendition_name(*, name: str, width: int) -> str:
    """The storage name of a picture's rendition: `products/mug.jpg` has `products/mug-400w.webp`."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{width}w.webp"))


def rendition_url(*, file: FieldFile, width: int) -> str:
    """The address of the rendition that is `width` pixels wide."""
    return file.storage.url(rendition_name(name=str(file.name), width=width))


def make_renditions(*, file: FieldFile) -> None:
    """Write the widths that storage does not have yet. A picture's name is never used twice."""
    missing = [
        (width, name)
        for width in WIDTHS
        if not file.storage.exists(name := rendition_name(name=str(file.name), width=width))
    ]
    if not missing:
        return
    with file.storage.open(str(file.name)) as original:
        body = original.read()
    with Image.open(BytesIO(body)) as opened:
        is_ready = opened.format == "WEBP" and not opened.getexif()
        upright = ImageOps.exif_transpose(opened)
        picture = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    for width, name in missing:
        if is_ready and picture.width == width:
            file.storage.save(name, ContentFile(body))
            continue
        height = max(1, round(picture.height * width / picture.width))
        rendition = BytesIO()
        picture.resize((width, height), Image.Resampling.LANCZOS).save(
            rendition, format="WEBP", quality=QUALITY
        )
        file.storage.save(name, ContentFile(rendition.getvalue()))
