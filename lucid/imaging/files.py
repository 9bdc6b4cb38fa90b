"""Picture files on disk: opened, checked before the work, and replaced atomically."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lucid.errors import LucidError, UsageError
from lucid.imaging import Size


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
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


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
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


def next_free_path(
    stem: str, folder: Path = Path(), suffix: str = ".png", taken: Container[Path] = ()
) -> Path:
    """The first free ``stem_0000.png``, ``stem_0001.png``, … in a folder, and not ``taken``."""
    for number in itertools.count():
        path = folder / f"{stem}_{number:04d}{suffix}"
        if path not in taken and not path.exists():
            return path
    raise AssertionError("numbers never end")
