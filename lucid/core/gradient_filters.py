"""What is done to the gradient of images before a canvas moves along it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def total_variation_grad(images: Tensor) -> Tensor:
    """The gradient of the total variation of images (Rudin, Osher and Fatemi, 1992).

    Args:
        images: (n, channels, height, width), 0..1.

    Returns:
        (n, channels, height, width): up to a few units where pixels stand alone.
    """
    dy, dx = (F.pad(images.diff(dim=axis), pad) for axis, pad in ((2, (0, 0, 0, 1)), (3, (0, 1))))
    # Differences of less than a grey level count as none, or flat areas would flicker.
    length = (dy.square() + dx.square() + (1 / 255) ** 2).sqrt()
    dy, dx = dy / length, dx / length
    above, left = F.pad(dy, (0, 0, 1, 0))[..., :-1, :], F.pad(dx, (1, 0))[..., :-1]
    return above - dy + left - dx


def normalize_laplacian(grad: Tensor, levels: int) -> Tensor:
    """Make every band of a gradient's Laplacian pyramid equally strong.

    What is broad then moves as much as what is fine (``lap_normalize`` of Google's DeepDream
    notebook for TensorFlow, 2016).

    Args:
        grad: (n, channels, height, width).
        levels: of the pyramid, 1 or more: the number of bands that are split off; the rest is one
            more. Images of too few pixels have fewer.

    Returns:
        (n, channels, height, width): the sum of the bands, each divided by its root mean square.
    """
    bands, low = [], grad
    for _ in range(levels):
        if min(low.shape[2:]) < 2:
            break
        smaller = F.interpolate(low, scale_factor=0.5, mode="bilinear", antialias=True)
        broad = F.interpolate(smaller, low.shape[2:], mode="bilinear")
        bands.append(low - broad)
        low = smaller
    total = _normalized(low)
    for band in reversed(bands):
        total = F.interpolate(total, band.shape[2:], mode="bilinear") + _normalized(band)
    return total


def _normalized(band: Tensor) -> Tensor:
    """A band, (n, ...), at a root mean square of 1 for each image; one of zeros stays that."""
    power = band.square().mean((1, 2, 3), keepdim=True).sqrt()
    return band / power.clamp(min=torch.finfo(band.dtype).tiny)
