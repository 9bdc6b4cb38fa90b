"""Text metadata in image files: PNG text chunks, EXIF comments, TIFF and GIF descriptions."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from lucid.imaging.files import open_image
from lucid.reading import MAX_BYTES, check_regular

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

PNG_KEYWORD = "lucid"
"""Keyword of the PNG text chunk."""

EXIF_ASCII = b"ASCII\0\0\0"
"""Prefix that declares the character code of an EXIF user comment."""

METADATA_SUFFIXES = (".png", ".apng", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif")
"""Suffixes of image files that can hold a text."""


def metadata_options(format_name: str, text: str) -> dict[str, Any]:
    """Build the keyword arguments with which ``Image.save`` stores a text; none for BMP.

    The format has Pillow's name, such as ``PNG``. The text is ASCII; an empty one is not stored.
    """
    if not text or format_name == "BMP":
        return {}
    if format_name == "PNG":
        chunks = PngInfo()
        chunks.add_text(PNG_KEYWORD, text)
        return {"pnginfo": chunks}
    if format_name == "GIF":
        return {"comment": text.encode()}
    if format_name == "TIFF":  # Pillow does not write the EXIF user comment to TIFF
        return {"description": text}
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = EXIF_ASCII + text.encode()
    return {"exif": exif}


def read_metadata(path: Path) -> str | None:
    """Read the text that ``metadata_options`` stored in an image file, or None."""
    check_regular(path)
    # Pillow decodes a whole PNG before it returns the text, and refuses the largest ones.
    with path.open("rb") as file:
        if file.read(8) == PNG_SIGNATURE:
            return _read_png_text(file)
    with open_image(path) as image:
        if image.format == "GIF":
            text = image.info.get("comment")
        elif image.format == "TIFF":
            text = image.getexif().get(ExifTags.Base.ImageDescription)
        else:
            text = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(text, bytes):
        text = text.removeprefix(EXIF_ASCII).decode("ascii", "replace")
    return text if isinstance(text, str) and text else None  # a tag may hold numbers


def _read_png_text(file: BinaryIO) -> str | None:
    """Read the text from a PNG file that is positioned after its signature."""
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind == b"tEXt":
            if length > MAX_BYTES:
                return None
            keyword, _, text = file.read(length).partition(b"\0")
            if keyword == PNG_KEYWORD.encode():
                return text.decode("latin-1")
            length = 0
        file.seek(length + 4, os.SEEK_CUR)  # skip the data and the checksum
    return None
