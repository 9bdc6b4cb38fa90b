"""Reading and writing pictures."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
import tempfile
import zlib
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from lucid.errors import LucidError, UsageError

Size = tuple[int, int]
"""Height, width in pixels."""


def read(path: str | Path) -> Tensor:
    """An image file as (3, height, width), RGB, 0..1, turned the way its EXIF says.

    Raises:
        LucidError: there is no such file, or it is not a whole image.
    """
    with _opened(path) as image:
        return from_pil(ImageOps.exif_transpose(image))


def read_alpha(path: str | Path) -> Image.Image | None:
    """How opaque each pixel of an image file is, as ``L``; None where all are wholly so.

    Raises:
        LucidError: see ``read``.
    """
    with _opened(path) as image:
        if not image.has_transparency_data:
            return None
        return ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """An open image file; what is wrong with it, in one line."""
    try:
        with Image.open(path) as image:
            yield image
    except UnidentifiedImageError as error:
        raise LucidError(f"{path}: is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise LucidError(f"{path}: {error}") from error
    except (OSError, ValueError, SyntaxError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LucidError(f"{path}: cannot be read as an image ({reason})") from error


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


def fill(image: Tensor, size: Size) -> Tensor:
    """The middle of a (3, height, width) image, scaled to fill (height, width)."""
    height, width = size
    return from_pil(ImageOps.fit(to_pil(image), (width, height), Image.Resampling.BICUBIC))


def write(image: Image.Image, path: Path, note: str = "") -> None:
    """Write a picture, whole or not at all: to a temporary name, then renamed.

    Args:
        image: the picture.
        path: where to; its ending is one of ``FORMATS``.
        note: a text in ASCII to keep with it, in any format but BMP: see ``read_note``.

    Raises:
        LucidError: it cannot be written there.
    """
    check_writable(path, (image.height, image.width))
    kind = FORMATS[path.suffix.lower()][0]
    with replacing(path) as part:
        # The quality is a lossy format's; the others ignore it.
        image.save(part, format=kind, quality=95, **noted(kind, note))


NOTE = "lucid"
"""The keyword of notes in PNG."""

ASCII = b"ASCII\0\0\0"
"""How a user comment in EXIF says what it is written in."""


def noted(kind: str, note: str) -> dict[str, Any]:
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


def read_note(path: Path) -> str | None:
    """The text that was kept with a picture, if there is one.

    Raises:
        LucidError: there is no such file, or it is not an image.
    """
    # Pillow decodes a PNG to read it, and refuses the largest.
    if path.is_file():
        with path.open("rb") as file:
            if file.read(8) == PNG:
                return _png_note(file)
    with _opened(path) as image:
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


def write_bands(bands: Iterable[Tensor], size: Size, path: Path, note: str = "") -> None:
    """Write a picture as PNG that never lies in memory as a whole.

    Args:
        bands: its rows from the top, (3, some, width) at once, RGB, 0..1.
        size: of the picture, (height, width).
        path: where to.
        note: see ``write``.

    Raises:
        LucidError: it cannot be written there.
    """

    def write_chunk(kind: bytes, content: bytes) -> None:
        file.write(struct.pack(">I", len(content)) + kind + content)
        file.write(struct.pack(">I", zlib.crc32(kind + content)))

    with replacing(path) as part, part.open("wb") as file:
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


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name if all goes well."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        part = Path(name)
        try:
            yield part
            # mkstemp makes files that only their owner may read.
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise LucidError(f"{path}: cannot be written ({error.strerror or error})") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


FORMATS = {
    ".png": ("PNG", 2**31 - 1),
    ".jpg": ("JPEG", 65_500),
    ".jpeg": ("JPEG", 65_500),
    ".webp": ("WEBP", 16_383),
    ".tif": ("TIFF", 2**31 - 1),
    ".tiff": ("TIFF", 2**31 - 1),
    ".bmp": ("BMP", 2**31 - 1),
}
"""Endings of file names: Pillow's name of the format, and its longest side."""


def check_writable(path: Path, size: Size = (1, 1), *, alpha: bool = False) -> None:
    """Find out before the work, not after it, that a picture cannot be written.

    Args:
        path: where to.
        size: of the picture, (height, width) in pixels.
        alpha: whether parts of it are transparent.

    Raises:
        UsageError: the name's ending is no image format we write, the format
            cannot hold that size or transparency, or there is no such folder to
            write into.
    """
    name, longest = FORMATS.get(path.suffix.lower(), (None, 0))
    if name is None:
        raise UsageError(f"{path}: end the name in {', '.join(FORMATS)}")
    if max(size) > longest:
        raise UsageError(f"{path}: {name} holds at most {longest} pixels a side: use .png")
    if alpha and name in ("JPEG", "BMP"):
        raise UsageError(f"{path}: {name} cannot be transparent, as the base is: use .png")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written there ({error.strerror})") from error


def numbered(
    stem: str, folder: Path = Path(), suffix: str = ".png", taken: Container[Path] = ()
) -> Path:
    """The first free ``stem_0000.png``, ``stem_0001.png``, … in a folder, and not ``taken``."""
    for number in itertools.count():
        path = folder / f"{stem}_{number:04d}{suffix}"
        if path not in taken and not path.exists():
            return path
    raise AssertionError("numbers never end")
