"""Image files on disk: open them, check a path before long work, replace files atomically."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lucid.errors import LucidError, UsageError
from lucid.imaging import Size
from lucid.imaging.output_paths import (
    exists,
    follow_links,
    next_free_path,
    reserve,
    temporary_path,
)
from lucid.reading import check_regular

log = logging.getLogger("lucid")

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

MAX_PIXELS = 2**27
"""Pixels of the largest picture that is read."""

DECODING_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, AssertionError, MemoryError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow's decoders raise for damaged files, besides its own exceptions."""


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file for a ``with`` statement; Pillow decodes the pixels on first use.

    Raises:
        LucidError: the file cannot be read or has more than ``MAX_PIXELS``, or decoding fails
            inside the ``with`` statement.
    """
    check_regular(path)
    try:
        # Pillow warns of damaged and large files, of which an error says enough.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LucidError(
                    f"{path}: {image.width}x{image.height} pixels are too many: shrink the picture "
                    f"to {MAX_PIXELS // 10**6} megapixels or fewer"
                )
            yield image
    except UnidentifiedImageError as error:
        raise LucidError(f"{path}: is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise LucidError(f"{path}: {error}") from error
    except DECODING_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            reason = "there is not enough memory"
        raise LucidError(f"{path}: cannot be read as an image ({reason})") from error


@contextlib.contextmanager
def atomic_write(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` only if the ``with`` statement succeeds.

    A link stays a link, and what it points to is written. An existing file keeps its permissions.

    Args:
        path: the file to write.
        replace: whether to replace an existing file. If not, and one appeared meanwhile, the new
            file gets the next free number, which the log says.

    Raises:
        LucidError: the file cannot be written, or another process is writing it.
    """
    try:
        target = follow_links(path)
        with reserve(target):
            part = temporary_path(target)
            part.touch(exist_ok=False)
            try:
                yield part
                if replace:
                    with contextlib.suppress(FileNotFoundError):
                        part.chmod(stat.S_IMODE(target.stat().st_mode))
                    part.replace(target)
                else:
                    _publish(part, path)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        if error.errno == errno.ENOSPC:
            with contextlib.suppress(OSError):
                reason = f"the disk is full: {shutil.disk_usage(path.parent).free:,} bytes are free"
        raise LucidError(f"{path}: cannot be written ({reason})") from error


def _publish(part: Path, path: Path) -> None:
    """Give a finished file its name, unless another file has that name now."""
    try:
        _link(part, path)
    except FileExistsError:
        other = next_free_path(path.stem, path.parent, path.suffix)
        _link(part, other)
        log.error(
            "%s: another program made this file meanwhile: it is kept, and the new one is %s",
            *(path, other),
        )


def _link(part: Path, path: Path) -> None:
    """Rename a file; raise FileExistsError if there is one of the new name."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # the file system, such as that of many memory cards, has no links
        if exists(path):
            raise FileExistsError(path) from None
        part.rename(path)


def check_writable(path: Path, size: Size = (1, 1), *, alpha: bool = False) -> None:
    """Raise a UsageError before long work if an image of that size cannot be written to a path."""
    name, longest = FORMATS.get(path.suffix.lower(), (None, 0))
    if name is None:
        raise UsageError(f"{path}: end the name in {', '.join(FORMATS)}")
    if max(size) > longest:
        raise UsageError(f"{path}: {name} holds at most {longest} pixels a side: use .png")
    if alpha and name in ("JPEG", "BMP"):
        raise UsageError(f"{path}: {name} cannot be transparent, as the base is: use .png")
    if exists(path) and path.is_dir():
        raise UsageError(f"{path}: is a folder")
    check_path(path)


def check_path(path: Path) -> None:
    """Raise a UsageError before long work if no file of that name can be written."""
    if exists(path) and follow_links(path).is_symlink():
        raise UsageError(f"{path}: is a link that leads in a circle: remove it")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is no file, and cannot be replaced by one")
    with reserve(path):
        pass
