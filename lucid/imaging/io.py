"""Reading and writing pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lucid.imaging import Size
from lucid.imaging.files import FORMATS, atomic_write, check_writable, open_image
from lucid.imaging.metadata import NOTE, PNG, metadata_options


def read_image(path: str | Path) -> Tensor:
    """An image file as (3, height, width), RGB, 0..1, turned the way its EXIF says.

    Raises:
        LucidError: there is no such file, or it is not a whole image.
    """
    with open_image(path) as image:
        return from_pil(ImageOps.exif_transpose(image))


def read_alpha(path: str | Path) -> Image.Image | None:
    """How opaque each pixel of an image file is, as ``L``; None where all are wholly so.

    Raises:
        LucidError: see ``read_image``.
    """
    with open_image(path) as image:
        if not image.has_transparency_data:
            return None
        return ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")


def from_pil(image: Image.Image) -> Tensor:
    """A Pillow image as (3, height, width), RGB, 0..1."""
    if image.mode[0] in "IF":  # 16-bit and floating-point grey, which Pillow would only clip
        grey = np.array(image, np.float32) / (65535 if image.mode[0] == "I" else 1)
        return torch.from_numpy(grey).clamp(0, 1).expand(3, -1, -1).contiguous()
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255


def to_pil(image: Tensor) -> Image.Image:
    """A (3, height, width) tensor, 0..1, as a Pillow image; values are rounded."""
    scaled = image.detach().float().clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(scaled.permute(1, 2, 0).cpu().numpy())


def center_crop_resize(image: Tensor, size: Size) -> Tensor:
    """The middle of a (3, height, width) image, scaled to fill (height, width)."""
    height, width = size
    return from_pil(ImageOps.fit(to_pil(image), (width, height), Image.Resampling.BICUBIC))


def write_image(image: Image.Image, path: Path, note: str = "") -> None:
    """Write a picture, whole or not at all: to a temporary name, then renamed.

    Args:
        image: the picture.
        path: where to; its ending is one of ``FORMATS``.
        note: a text in ASCII to keep with it, in any format but BMP: see ``read_metadata``.

    Raises:
        LucidError: it cannot be written there.
    """
    check_writable(path, (image.height, image.width))
    kind = FORMATS[path.suffix.lower()][0]
    with atomic_write(path) as part:
        # The quality is a lossy format's; the others ignore it.
        image.save(part, format=kind, quality=95, **metadata_options(kind, note))


def write_png_rows(bands: Iterable[Tensor], size: Size, path: Path, note: str = "") -> None:
    """Write a picture as PNG that never lies in memory as a whole.

    Args:
        bands: its rows from the top, (3, some, width) at once, RGB, 0..1.
        size: of the picture, (height, width).
        path: where to.
        note: see ``write_image``.

    Raises:
        LucidError: it cannot be written there.
    """

    def write_chunk(kind: bytes, content: bytes) -> None:
        file.write(struct.pack(">I", len(content)) + kind + content)
        file.write(struct.pack(">I", zlib.crc32(kind + content)))

    with atomic_write(path) as part, part.open("wb") as file:
        file.write(PNG)
        write_chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], 8, 2, 0, 0, 0))
        if note:
            write_chunk(b"tEXt", f"{NOTE}\0{note}".encode("latin-1"))
        packer = zlib.compressobj()
        above = np.zeros((1, 3 * size[1]), np.uint8)
        for band in bands:
            rows = np.concatenate([above, np.asarray(to_pil(band)).reshape(-1, 3 * size[1])])
            above = rows[-1:]
            # Filter 2, "up": each row as its difference from the one above packs better.
            lines = np.insert(np.diff(rows, axis=0), 0, 2, axis=1)
            write_chunk(b"IDAT", packer.compress(lines.tobytes()))
        write_chunk(b"IDAT", packer.flush())
        write_chunk(b"IEND", b"")
