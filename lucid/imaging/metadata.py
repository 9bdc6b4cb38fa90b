"""Text kept inside picture files: PNG chunks, EXIF, TIFF and GIF comments."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from lucid.imaging.files import open_image

NOTE = "lucid"
"""The keyword of notes in PNG."""


ASCII = b"ASCII\0\0\0"
"""How a user comment in EXIF says what it is written in."""


def metadata_options(kind: str, note: str) -> dict[str, Any]:
    """What Pillow is to be told so that it keeps a note in a format it names so."""
    if not note:
        return {}
    if kind == "PNG":
        chunks = PngInfo()
        chunks.add_text(NOTE, note)
        return {"pnginfo": chunks}
    if kind == "GIF":
        return {"comment": note.encode()}
    if kind == "BMP":
        return {}
    if kind == "TIFF":  # in whose EXIF Pillow writes no comments
        return {"description": note}
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = ASCII + note.encode()
    return {"exif": exif}


NOTED = (".png", ".apng", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif")
"""Endings of the names of pictures in which notes are kept."""


def read_metadata(path: Path) -> str | None:
    """The text that was kept with a picture, if there is one.

    Raises:
        LucidError: there is no such file, or it is not an image.
    """
    # Pillow decodes a PNG to read it, and refuses the largest.
    if path.is_file():
        with path.open("rb") as file:
            if file.read(8) == PNG:
                return _png_note(file)
    with open_image(path) as image:
        if image.format == "GIF":
            kept = image.info.get("comment")
        elif image.format == "TIFF":
            kept = image.getexif().get(ExifTags.Base.ImageDescription)
        else:
            kept = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(kept, bytes):
        kept = kept.removeprefix(ASCII).decode("ascii", "replace")
    return kept or None


PNG = b"\x89PNG\r\n\x1a\n"


def _png_note(file: BinaryIO) -> str | None:
    """The note of a PNG, whose signature was read: without its pixels, however many there are."""
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"tEXt":
            name, _, text = file.read(length).partition(b"\0")
            if name == NOTE.encode():
                return text.decode("latin-1")
            length = 0
        file.seek(length + 4, os.SEEK_CUR)
    return None
