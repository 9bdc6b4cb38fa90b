"""Photographs, masks, pictures and films of a studio, by the hash of their bytes."""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from lucid.errors import LucidError, UsageError
from lucid.imaging import recipes
from lucid.imaging.files import DECODING_ERRORS
from lucid.imaging.filters import luma
from lucid.imaging.io import from_pil, read_image
from lucid.imaging.recipe_masks import HELD, MAX_HELD, decode_mask, decode_text, encode_mask

MAX_UPLOAD = 64 * 2**20
"""Bytes of the largest upload."""

MAX_PIXELS = 64_000_000
"""Pixels of the largest photograph, by its header: more are refused before they are decoded."""

MAX_TOTAL = 2**30
"""Bytes that all assets may take on the disk."""

MAX_OFFERED = 8
"""Saved pictures and films that are kept to be fetched."""

MAX_READ = 32
"""Masks that are kept in memory."""

MAX_MASKS = 20_000
"""The most masks of one studio."""

SUFFIXES = {
    "PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp",
}  # fmt: skip
"""Image formats that are taken, with the suffix of their files."""

TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".tif": "image/tiff", ".bmp": "image/bmp", ".mp4": "video/mp4",
}  # fmt: skip
"""Content types by suffix."""


class Assets:
    """A folder of files named by their hashes, which goes away with the studio; and masks.

    Attributes:
        masks: masks by name, as recipes hold them.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lucid-studio-")
        self.folder = Path(self._folder.name)
        self.masks: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._total = 0
        self._offered: list[str] = []
        self._read: dict[str, Tensor] = {}  # the masks that were read last
        self._lock, self._decoding = threading.Lock(), threading.Lock()

    def __contains__(self, digest: object) -> bool:
        return digest in self._files

    def path(self, digest: str) -> Path:
        """The file of a hash.

        Raises:
            UsageError: there is none.
        """
        if digest not in self._files:
            raise UsageError("there is no such upload: drop the picture again")
        return self._files[digest]

    def upload(self, digest: str, content: bytes) -> tuple[int, int]:
        """Take an upload, if it is a picture that can be read.

        Args:
            digest: the SHA-256 that the content must have.
            content: the bytes of an image file.

        Returns:
            The picture's width and height, in pixels, as it is turned.

        Raises:
            UsageError: it is no picture, or too large.
        """
        if hashlib.sha256(content).hexdigest() != digest:
            raise UsageError("the upload is not what its hash says: send it again")
        if digest in self:
            return self.size(digest)
        kind, width, height = _header(content)
        if width * height > MAX_PIXELS:
            raise UsageError(
                f"{width}x{height} pixels are too many: shrink the picture to "
                f"{MAX_PIXELS // 10**6} megapixels or fewer"
            )
        self.add(content, SUFFIXES[kind])
        try:
            with self._decoding:  # one at a time: each takes up to a gigabyte
                return self.size(digest)
        except LucidError:
            self._remove(digest)
            raise UsageError("the picture cannot be read: is the file whole?") from None

    def add(self, content: bytes, suffix: str) -> str:
        """Keep a file; return its hash.

        Raises:
            UsageError: there is no room for it.
        """
        digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            if digest in self._files:
                return digest
            if self._total + len(content) > MAX_TOTAL:
                raise UsageError("the studio is full: save what you need and start it again")
            path = self.folder / f"{digest}{suffix}"
            try:
                path.write_bytes(content)
            except OSError as error:
                raise UsageError(f"the upload cannot be kept: {error.strerror}") from error
            self._files[digest] = path
            self._total += len(content)
        return digest

    def offer(self, content: bytes, suffix: str) -> str:
        """Keep a saved picture or film to be fetched, in place of the oldest of ``MAX_OFFERED``.

        There is always room for one.
        """
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self:
            with self._lock:
                path = self.folder / f"{digest}{suffix}"
                path.write_bytes(content)
                self._files[digest] = path
                self._offered.append(digest)
                while len(self._offered) > MAX_OFFERED:
                    self._files.pop(self._offered.pop(0)).unlink()
        return digest

    def _remove(self, digest: str) -> None:
        with self._lock:
            path = self._files.pop(digest)
            self._total -= path.stat().st_size
            path.unlink()

    def picture(self, digest: str) -> Tensor:
        """A picture, (3, height, width), RGB, 0..1."""
        return read_image(self.path(digest))

    def size(self, digest: str) -> tuple[int, int]:
        """The width and height of a picture, in pixels."""
        shape = self.picture(digest).shape
        return shape[2], shape[1]

    def has_recipe(self, digest: str) -> bool:
        """Whether a picture carries a recipe."""
        try:
            recipes.read(self.path(digest))
        except LucidError:
            return False
        return True

    def add_mask(self, content: bytes) -> str | None:
        """Keep a mask.

        Args:
            content: the bytes of a PNG file, whose brightness counts.

        Returns:
            Its name, ``sha256:`` and a hash; None if nothing is bright.

        Raises:
            UsageError: it is no such file, or larger than ``MAX_HELD`` pixels a side.
        """
        kind, width, height = _header(content)
        if kind != "PNG" or max(width, height) > MAX_HELD:
            raise UsageError(f"a mask is a PNG of {MAX_HELD} pixels a side or fewer")
        try:
            with Image.open(io.BytesIO(content)) as image:
                mask = luma(from_pil(image.convert("RGB")))[0]
        except DECODING_ERRORS as error:
            raise UsageError("the mask cannot be read: send it again") from error
        if mask.max() < 0.02:
            return None
        name, text = encode_mask(mask)
        self.take_masks({name: text})
        return name

    def take_masks(self, masks: Mapping[str, str]) -> None:
        """Keep masks of a recipe.

        Raises:
            LucidError: one is none, or there are too many.
        """
        if len(self.masks) + len(masks) > MAX_MASKS:
            raise UsageError(
                "there are too many masks: save the picture and start the studio again"
            )
        for name, text in masks.items():
            if name in self.masks:
                continue
            decode_mask(text)
            content = decode_text(text)
            if name != HELD + hashlib.sha256(content).hexdigest():
                raise LucidError("a mask of the recipe is not what its name says")
            self.add(content, ".png")
            self.masks[name] = text

    def read_mask(self, name: str) -> Tensor:
        """A mask by its name, (height, width), 0..1.

        Raises:
            UsageError: there is none.
        """
        if name not in self.masks:
            raise UsageError(f"there is no mask {name[:20]}: paint it again")
        if name not in self._read:
            self._read[name] = decode_mask(self.masks[name])
            while len(self._read) > MAX_READ:
                del self._read[next(iter(self._read))]
        return self._read[name]

    def close(self) -> None:
        """Delete all files."""
        self._folder.cleanup()


def _header(content: bytes) -> tuple[str, int, int]:
    """The format, width and height that the header of an image file tells."""
    try:
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(content), formats=[*SUFFIXES])
    except Image.DecompressionBombError:
        raise UsageError("the picture has too many pixels: shrink it") from None
    except DECODING_ERRORS:
        raise UsageError("that is no picture: PNG, JPEG, WebP, GIF, TIFF and BMP are") from None
    return str(image.format), image.width, image.height
