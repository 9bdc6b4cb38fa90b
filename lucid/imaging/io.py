"""Read and write image files; convert between Pillow images and tensors."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lucid.errors import LucidError, UsageError
from lucid.imaging import Size
from lucid.imaging.files import FORMATS, atomic_write, check_writable, open_image
from lucid.imaging.filters import luma
from lucid.imaging.metadata import PNG_KEYWORD, PNG_SIGNATURE, metadata_options


def read_image(path: str | Path) -> Tensor:
    """Read an image file and apply its EXIF orientation.

    Returns:
        (3, height, width), RGB, 0..1.

    Raises:
        LucidError: the file does not exist, is not an image, or is damaged, or a pixel is no
            number.
    """
    with open_image(path) as image:
        pixels = from_pil(ImageOps.exif_transpose(image))
    if not pixels.isfinite().all():
        raise LucidError(f"{path}: holds pixels that are no numbers (NaN)")
    return pixels


def read_alpha(path: str | Path) -> Image.Image | None:
    """Read an image file's alpha channel (mode ``L``) as oriented by EXIF; None without one."""
    with open_image(path) as image:
        if not image.has_transparency_data:
            return None
        return ImageOps.exif_transpose(image).convert("RGBA").getchannel("A")


def from_pil(image: Image.Image) -> Tensor:
    """Convert a Pillow image to a (3, height, width) tensor, RGB, 0..1.

    16-bit and floating-point greyscale keep their precision; transparency is dropped.
    """
    if image.mode[0] in "IF":  # Pillow clips these modes when it converts them to RGB
        grey = np.array(image, np.float32) / (65535 if image.mode[0] == "I" else 1)
        return torch.from_numpy(grey).clamp(0, 1).expand(3, -1, -1).contiguous()
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255


Picture = str | Path | Image.Image | np.ndarray | Tensor
"""A picture that a program hands over: a file, a Pillow image, an array (height, width, 3) as most
libraries have them, or a tensor (3, height, width); of floats from 0 to 1, or bytes."""


def to_tensor(image: Picture, name: str = "base") -> Tensor:
    """Check a picture that a program hands over, and return it as a tensor.

    Args:
        image: a picture's file, a Pillow image, or an array or tensor, (height, width, 3) or
            (3, height, width), RGB: floats from 0 to 1, or bytes.
        name: what the picture is, for messages.

    Returns:
        (3, height, width), RGB, 0..1, fp32.

    Raises:
        UsageError: the picture is something else; the message says what, and what would work.
        LucidError: a file cannot be read.
    """
    wanted = f"the {name} must be a Pillow image, or a tensor (3, height, width), RGB, 0..1"
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, Image.Image):
        image = from_pil(image)
    image = _as_tensor(image, wanted)
    if image.ndim == 3 and image.shape[0] != 3 and image.shape[2] == 3:
        image = image.movedim(2, 0)
    if image.ndim != 3 or image.shape[0] != 3 or not image.numel():
        raise UsageError(f"{wanted}, not of shape {tuple(image.shape)}")
    if not image.is_floating_point():
        dtype = str(image.dtype).removeprefix("torch.")
        raise UsageError(f"{wanted}, not of {dtype}: use .float() / 255")
    return _checked(image, wanted)


def to_mask(mask: Picture, name: str = "mask") -> Tensor:
    """Check a mask that a program hands over, and return it as a tensor.

    Args:
        mask: a picture, whose brightness counts (see ``to_tensor``); or an array or tensor,
            (height, width), of floats from 0 to 1, bytes, or True and False.
        name: what the mask is, for messages.

    Returns:
        (height, width), 0..1, fp32.

    Raises:
        UsageError: the mask is something else; the message says what, and what would work.
        LucidError: a file cannot be read.
    """
    wanted = f"the {name} must be a picture, or a tensor (height, width), 0..1"
    if isinstance(mask, str | Path | Image.Image):
        return luma(to_tensor(mask, name))[0]
    mask = _as_tensor(mask, wanted)
    if mask.ndim == 3 and 3 in (mask.shape[0], mask.shape[2]):
        return luma(to_tensor(mask, name))[0]
    if mask.ndim == 3 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.ndim != 2 or not mask.numel():
        raise UsageError(f"{wanted}, not of shape {tuple(mask.shape)}")
    if mask.dtype == torch.bool:
        return mask.float()
    if not mask.is_floating_point():
        raise UsageError(f"{wanted}, not of {str(mask.dtype).removeprefix('torch.')}")
    return _checked(mask, wanted)


def _as_tensor(image: object, wanted: str) -> Tensor:
    """An array or tensor as a tensor, bytes as 0..1."""
    if (isinstance(image, np.ndarray) and image.dtype.kind in "fu") or _is_bool(image):
        image = torch.from_numpy(np.array(image))
    if not isinstance(image, Tensor):
        kind = getattr(image, "dtype", None)
        found = f"{type(image).__name__} of {kind}" if kind else type(image).__name__
        raise UsageError(f"{wanted}, floats or bytes, not a {found}")
    return image.float() / 255 if image.dtype == torch.uint8 else image


def _is_bool(image: object) -> bool:
    return isinstance(image, np.ndarray) and image.dtype == bool


def _checked(image: Tensor, wanted: str) -> Tensor:
    """A tensor of floats as fp32, apart from any graph, if its values can be those of pixels."""
    # In inference mode a tensor is made that no gradient may pass; a clone is not.
    image = (image.detach().clone() if image.is_inference() else image.detach()).float()
    least, most = (float(value) for value in image.aminmax())
    if not (least >= -1 and most <= 2):  # nor if they are NaN
        raise UsageError(f"{wanted}: its values go from {least:g} to {most:g}")
    return image


def to_pil(image: Tensor) -> Image.Image:
    """Convert a (3, height, width) tensor, clamped to 0..1, to a Pillow image of mode ``RGB``.

    Raises:
        LucidError: a pixel is no number (NaN), as where settings are far too large.
    """
    if image.isnan().any():
        raise LucidError(
            "the picture has pixels that are no numbers: settings this extreme, or this net, "
            "cannot paint"
        )
    scaled = image.detach().float().clamp(0, 1).mul(255).round().byte()
    return Image.fromarray(scaled.permute(1, 2, 0).cpu().numpy())


def center_crop_resize(image: Tensor, size: Size) -> Tensor:
    """Crop the centre of a (3, height, width) image, 0..1, and resize it (bicubic, to 8 bits)."""
    height, width = size
    return from_pil(ImageOps.fit(to_pil(image), (width, height), Image.Resampling.BICUBIC))


def write_image(
    image: Image.Image, path: Path, metadata: str = "", *, replace: bool = True
) -> None:
    """Write an image file atomically.

    Args:
        image: an image in a mode that the format holds.
        path: the file to write; its suffix is in ``FORMATS``.
        metadata: an ASCII text to store in the file; BMP stores none.
        replace: whether to replace an existing file (see ``atomic_write``).

    Raises:
        UsageError: the file name or the image size does not suit the format.
        LucidError: the file cannot be written.
    """
    check_writable(path, (image.height, image.width))
    format_name = FORMATS[path.suffix.lower()][0]
    with atomic_write(path, replace=replace) as part:
        # Lossless formats ignore the quality.
        image.save(part, format=format_name, quality=95, **metadata_options(format_name, metadata))


def write_png_rows(
    bands: Iterable[Tensor], size: Size, path: Path, metadata: str = "", *, replace: bool = True
) -> None:
    """Write a PNG file atomically, with ASCII metadata, without holding the image in memory.

    The bands are the image's rows from the top: (3, rows, width), RGB, 0..1.
    """

    def write_chunk(kind: bytes, content: bytes) -> None:
        file.write(struct.pack(">I", len(content)) + kind + content)
        file.write(struct.pack(">I", zlib.crc32(kind + content)))

    height, width = size
    with atomic_write(path, replace=replace) as part, part.open("wb") as file:
        file.write(PNG_SIGNATURE)
        write_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        if metadata:
            write_chunk(b"tEXt", f"{PNG_KEYWORD}\0{metadata}".encode("latin-1"))
        compressor = zlib.compressobj()
        row_above = np.zeros((1, 3 * width), np.uint8)
        for band in bands:
            rows = np.concatenate([row_above, np.asarray(to_pil(band)).reshape(-1, 3 * width)])
            row_above = rows[-1:]
            # PNG filter 2, "Up": each row minus the row above compresses better.
            lines = np.insert(np.diff(rows, axis=0), 0, 2, axis=1)
            write_chunk(b"IDAT", compressor.compress(lines.tobytes()))
        write_chunk(b"IDAT", compressor.flush())
        write_chunk(b"IEND", b"")
