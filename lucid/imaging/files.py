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
    """Open an image file for a ``with`` statement.

    Args:
        path: a file in any format that Pillow reads.

    Yields:
        The open image; Pillow decodes the pixels when they are first used.

    Raises:
        LucidError: the file cannot be read, or Pillow fails to decode it inside the ``with``
            statement.
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
    """Replace a file only if writing its new content succeeds.

    Args:
        path: the file to create or replace.

    Yields:
        A temporary path in the same folder. It is renamed to ``path`` at the end of the
        ``with`` statement, and deleted if the statement raises.

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
    """Check before long work that an image can be written to a path afterwards.

    Args:
        path: the image file to be written.
        size: height and width of the image in pixels.
        alpha: whether the image has transparent pixels.

    Raises:
        UsageError: the suffix is not in ``FORMATS``, the format cannot hold an image of that
            size or transparency, the folder does not exist, or it is not writable.
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
    """Find the first unused path among ``stem_0000.png``, ``stem_0001.png`` and so on.

    Args:
        stem: the part of the file name before the number.
        folder: the folder to look in.
        suffix: the part of the file name after the number.
        taken: paths to skip although no such file exists yet.

    Returns:
        A path in ``folder`` that does not exist.
    """
    numbered = (folder / f"{stem}_{number:04d}{suffix}" for number in itertools.count())
    return next(path for path in numbered if path not in taken and not path.exists())
