"""Bring a picture of one shape to a size of another. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lucid.imaging import Size

if TYPE_CHECKING:
    from torch import Tensor

FITS = ("crop", "inside", "stretch")
"""How an image of another shape is brought to a size."""


def inside(shape: Size, size: Size) -> Size:
    """The largest (height, width) of a shape that lies inside a size; no side is below 1 pixel.

    >>> inside((480, 640), (512, 512))
    (384, 512)
    """
    factor = min(size[0] / shape[0], size[1] / shape[1])
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def fit_size(shape: Size, size: Size, fit: str) -> Size:
    """The (height, width) that an image of a shape gets, where a size is asked for."""
    return inside(shape, size) if fit == "inside" else size


def fit_image(image: Tensor, size: Size, fit: str) -> Tensor:
    """Give an image the shape of a size, but not yet its number of pixels.

    Args:
        image: (channels, height, width).
        size: (height, width) that the image will be resized to.
        fit: ``crop`` cuts off what is beyond that shape, equally on both sides; ``inside`` and
            ``stretch`` leave the image as it is.

    Returns:
        (channels, height, width), a part of the image.
    """
    height, width = image.shape[1:]
    if fit != "crop":
        return image
    kept = (
        min(height, round(width * size[0] / size[1])),
        min(width, round(height * size[1] / size[0])),
    )
    rows, columns = max(1, kept[0]), max(1, kept[1])
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[:, top : top + rows, left : left + columns]
