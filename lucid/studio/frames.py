"""Pictures on their way to the page: a fixed header, then a JPEG or a PNG."""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass

from PIL import Image

PICTURE, SHEET, FILM = 0, 1, 2
"""Kinds of frames: the picture, the sheet of seeds, a frame of the film."""

HEADER = struct.Struct("<BBHIIII")
"""Kind, format (0 JPEG, 1 PNG), index of a film's frame, number of the frame, width and height of
the picture, and four bytes for later. A frame's image may be smaller than the picture."""

PREVIEW = 640
"""The longest side of a frame while the picture grows, in pixels."""

THUMBNAIL = 96
"""The longest side of a thumbnail, in pixels."""

QUALITY = 85
"""Of a frame's JPEG."""


@dataclass(frozen=True)
class Frame:
    """A picture for the page.

    Attributes:
        kind: ``PICTURE``, ``SHEET`` or ``FILM``.
        number: that the page acknowledges.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        jpeg: the bytes of the image.
        index: of a film's frame.
    """

    kind: int
    number: int
    width: int
    height: int
    jpeg: bytes
    index: int = 0

    def to_bytes(self) -> bytes:
        """The header, then the image."""
        numbers = (self.index, self.number, self.width, self.height, 0)
        return HEADER.pack(self.kind, 0, *numbers) + self.jpeg


def encode(image: Image.Image, longest: int | None = None) -> bytes:
    """Encode an image as JPEG, made smaller if a side is longer than ``longest`` pixels."""
    image = image.convert("RGB")
    if longest and max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def thumbnail(image: Image.Image) -> str:
    """A small copy of an image, as the address of a JPEG with its bytes."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(image, THUMBNAIL)).decode()
