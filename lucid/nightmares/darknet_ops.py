"""Darknet's own arithmetic for images, (channels, height, width): shift, resize, rotate, zoom."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def shift(image: Tensor, dy: int, dx: int) -> Tensor:
    """Move an image up and left, in pixels, and repeat its border, as Darknet's ``crop_image``."""
    return crop(image, dy, dx, image.shape[1], image.shape[2])


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Cut out a window, in pixels; beyond the image its border pixels are repeated."""
    (above, rows, below), (before, columns, behind) = (
        _split_range(start, count, length)
        for start, count, length in zip((top, left), (height, width), image.shape[1:], strict=True)
    )
    return F.pad(image[:, rows, columns], (before, behind, above, below), "replicate")


def _split_range(start: int, count: int, length: int) -> tuple[int, slice, int]:
    """Positions to repeat before an axis of a length, those on it, and those to repeat behind."""
    # At least one position lies on the axis, to be repeated.
    first, last = max(0, min(start, length - 1)), min(length, max(start + count, 1))
    before = min(max(0, -start), count - 1)
    return before, slice(first, last), count - before - (last - first)


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Resize an image bilinearly, corner pixels at the corners, as Darknet's ``resize_image``."""
    return F.interpolate(image[None], (height, width), mode="bilinear", align_corners=True)[0]


def rotate(image: Tensor, angle: float) -> Tensor:
    """Rotate by radians about (width / 2, height / 2), black outside, as ``rotate_image``."""
    _, height, width = image.shape
    rows = torch.arange(height, device=image.device)[:, None] - height / 2
    columns = torch.arange(width, device=image.device)[None] - width / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    x = cosine * columns - sine * rows + width / 2
    y = sine * columns + cosine * rows + height / 2
    # grid_sample counts from -1 at the first pixel to 1 at the last.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(image[None], grid[None].to(image), align_corners=True)[0]


def zoom(image: Tensor, fraction: float) -> Tensor:
    """Enlarge the middle fraction of an image to the image's size; above 1 the image shrinks.

    Cut in single precision and whole pixels, as Darknet's nightmare.c does.
    """
    _, height, width = image.shape
    exact = np.float32(fraction)
    top, left = (int(length * (1.0 - float(exact)) / 2) for length in (height, width))
    rows, columns = (max(1, int(np.float32(length) * exact)) for length in (height, width))
    return resize(crop(image, top, left, rows, columns), height, width)
