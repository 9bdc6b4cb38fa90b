"""Laplacian normalisation of gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lucid.core.gradient_filters import normalize_laplacian

QUICK: dict[str, Any] = {"size": (48, 48), "iterations": 3, "octave_count": 1, "seed": 1}


def bands(images: Tensor) -> tuple[float, float]:
    """How strong images are below and above an eighth of the highest frequency."""
    low = F.interpolate(F.avg_pool2d(images, 8), images.shape[2:], mode="bilinear")
    return float(low.square().mean()), float((images - low).square().mean())


def test_laplacian_normalisation_makes_broad_shapes_as_strong_as_fine_ones() -> None:
    torch.manual_seed(0)
    broad = F.interpolate(torch.randn(1, 3, 4, 4), (64, 64), mode="bilinear")
    grad = 0.01 * broad + torch.randn(1, 3, 64, 64)
    low, high = bands(grad)
    normalised_low, normalised_high = bands(normalize_laplacian(grad, 4))
    assert normalised_low / normalised_high > 20 * low / high
    # The scale of the gradient does not matter, and where there is none, none appears.
    torch.testing.assert_close(normalize_laplacian(7 * grad, 4), normalize_laplacian(grad, 4))
    assert not normalize_laplacian(torch.zeros(2, 3, 9, 7), 4).any()
    assert normalize_laplacian(torch.randn(1, 3, 1, 5), 4).shape == (1, 3, 1, 5)
