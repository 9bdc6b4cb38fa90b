"""Image files on disk: open them, check a path before long work, replace files atomically."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lucid.errors import LucidError, UsageError
from lucid.imaging import Size

FORMATS = {
    ".png": ("PNG", 2**31 - 1),
    ".jpg": ("JPEG", 65_500),
    ".jpeg": ("JPEG", 65_500),
    ".webp": ("WEBP", 16_383),
    ".tif": ("TIFF", 2**31 - 1),
    ".tiff": ("TIFF", 2**31 - 1),
    ".bmp": ("BMP", 2**31 - 1),
}
"""Suffixes of image files that lucid writes: Pillow's format name and the most pixels a side."""


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file for a ``with`` statement; Pillow decodes the pixels on first use.

    Raises:
        LucidError: the file cannot be read, or decoding fails inside the ``with`` statement.
    """
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
    """Yield a temporary path that replaces ``path`` only if the ``with`` statement succeeds.

    Raises:
        LucidError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.touch(exist_ok=False)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise LucidError(f"{path}: cannot be written ({error.strerror or error})") from error


def check_writable(path: Path, size: Size = (1, 1), *, alpha: bool = False) -> None:
    """Raise a UsageError before long work if an image of that size cannot be written to a path."""
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
    """Find the first unused path of ``stem_0000.png``, ``stem_0001.png``, …; skip those taken."""
    numbered = (folder / f"{stem}_{number:04d}{suffix}" for number in itertools.count())
    return next(path for path in numbered if path not in taken and not path.exists())
