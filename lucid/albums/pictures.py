"""The pictures of an album that are there, one at a time, whatever kind of file each is."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageOps

from lucid.albums.store import Store
from lucid.errors import LucidError
from lucid.imaging import video
from lucid.imaging.files import open_image
from lucid.imaging.io import from_pil, to_pil

ANIMATIONS = ("GIF", "PNG", "WEBP")
"""Pillow's names of formats whose further frames are a film; those of TIFF are pages."""


@contextlib.contextmanager
def local_file(store: Store, name: str) -> Iterator[Path]:
    """Give a file of a store a path on this machine, for a ``with`` statement.

    Raises:
        LucidError: there is no such file.
        StoreError: it cannot be read.
    """
    if store.folder is not None:
        yield store.folder / name
        return
    with tempfile.TemporaryDirectory(prefix="lucid-album-") as temporary:
        path = Path(temporary) / name.rpartition("/")[2]
        try:
            path.write_bytes(store.read(name))
        except FileNotFoundError:
            raise LucidError(f"{store.url}/{name}: there is no such file") from None
        yield path


def first_frame(path: Path) -> tuple[Image.Image, bool]:
    """Read a picture, or the first frame of a film, and tell whether it is a film.

    Returns:
        The picture, upright, of mode ``RGB``, or ``RGBA`` if it is transparent; and True if there
        are more frames.

    Raises:
        LucidError: the file cannot be read, or has too many pixels.
    """
    if path.suffix.lower() in video.VIDEO_SUFFIXES:
        return video.first_frame(path), True
    with open_image(path) as image:
        moves = image.format in ANIMATIONS and getattr(image, "n_frames", 1) > 1
        upright = ImageOps.exif_transpose(image)
        if upright.mode[0] in "IF":  # Pillow clips these modes
            return to_pil(from_pil(upright)), moves
        return upright.convert("RGBA" if upright.has_transparency_data else "RGB"), moves
