"""Bring a picture of one shape to a size of another. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lucid.errors import UsageError
from lucid.imaging import Size

if TYPE_CHECKING:
    from torch import Tensor

FITS = ("crop", "pad", "inside", "stretch")
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
        fit: ``crop`` cuts off what is beyond that shape, equally on both sides; ``pad`` mirrors the
            image's borders until it has that shape; ``inside`` and ``stretch`` leave the image as
            it is.

    Returns:
        (channels, height, width), a part of the image, or all of it and more.
    """
    height, width = image.shape[1:]
    if fit == "pad":
        from lucid.imaging.padding import crop

        rows = max(height, round(width * size[0] / size[1]))
        columns = max(width, round(height * size[1] / size[0]))
        top, left = (rows - height) // 2, (columns - width) // 2
        return crop(image, range(-top, rows - top), range(-left, columns - left))
    if fit != "crop":
        return image
    kept = (
        min(height, round(width * size[0] / size[1])),
        min(width, round(height * size[1] / size[0])),
    )
    rows, columns = max(1, kept[0]), max(1, kept[1])
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[:, top : top + rows, left : left + columns]


def fit_mask(mask: Tensor, shape: Size, size: Size, fit: str) -> Tensor:
    """Give a mask the shape of a size, as ``fit_image`` does.

    Args:
        mask: (height, width).
        shape: (height, width) of the image that the mask may be made for.
        size: (height, width) that image and mask will be resized to.
        fit: as for ``fit_image``.

    Returns:
        (height, width), a part of the mask.

    Raises:
        UsageError: the mask is not of the image's size, and of another shape than ``size``.
    """
    if mask.shape == shape:
        return fit_image(mask[None], size, fit)[0]
    height, width = mask.shape
    ratio = width / height * size[0] / size[1]
    # A mask that was shrunk has rounded sides.
    if fit != "stretch" and not 0.95 < ratio < 1.05:
        raise UsageError(
            f"the mask is {width}x{height} and the picture {size[1]}x{size[0]}, which is another "
            "shape: cut the mask to that, or let fit be stretch"
        )
    return mask
