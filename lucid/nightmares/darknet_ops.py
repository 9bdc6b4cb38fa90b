"""Darknet's ways to shift, resize, rotate and zoom a picture, in its own arithmetic."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def shift(image: Tensor, down: int, across: int) -> Tensor:
    """What lies (down, across) pixels further on moves here; edges are repeated.

    Darknet's ``crop_image`` at the image's own size.
    """
    return crop(image, down, across, image.shape[1], image.shape[2])


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A window of a (channels, height, width) image; past its edges they are repeated."""
    (above, rows, below), (before, columns, behind) = (
        _inside(start, count, length)
        for start, count, length in zip((top, left), (height, width), image.shape[1:], strict=True)
    )
    return F.pad(image[:, rows, columns], (before, behind, above, below), "replicate")


def _inside(start: int, count: int, length: int) -> tuple[int, slice, int]:
    """Of a window of ``count`` places: how many to repeat before, which there are of
    ``length``, at the least one, and how many to repeat behind."""
    first, last = max(0, min(start, length - 1)), min(length, max(start + count, 1))
    before = min(max(0, -start), count - 1)
    return before, slice(first, last), count - before - (last - first)


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, with the corner pixels kept at the corners: Darknet's ``resize_image``."""
    return F.interpolate(image[None], (height, width), mode="bilinear", align_corners=True)[0]


def rotate(image: Tensor, angle: float) -> Tensor:
    """Turn about (width / 2, height / 2) by radians; corners turn black.

    Darknet's ``rotate_image``.
    """
    _, height, width = image.shape
    rows = torch.arange(height, device=image.device)[:, None] - height / 2
    columns = torch.arange(width, device=image.device)[None] - width / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    x = cosine * columns - sine * rows + width / 2
    y = sine * columns + cosine * rows + height / 2
    # grid_sample counts from -1 at the first pixel to 1 at the last.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    return F.grid_sample(image[None], grid[None].to(image), align_corners=True)[0]


def zoom(image: Tensor, share: float) -> Tensor:
    """The middle ``share`` of the picture, over all of it; above 1 it shrinks.

    Cut as Darknet's nightmare does, in single precision and whole pixels.
    """
    _, height, width = image.shape
    exact = np.float32(share)
    top, left = (int(length * (1.0 - float(exact)) / 2) for length in (height, width))
    tall, wide = (max(1, int(np.float32(length) * exact)) for length in (height, width))
    return resize(crop(image, top, left, tall, wide), height, width)
