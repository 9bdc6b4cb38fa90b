"""Small random changes that a picture must survive to please a net.

What a net sees only at one angle and one size is noise to an eye. Each
transform is drawn once, then is a plain function of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Affine:
    """Turn, scale and shift a batch of images about their centres.

    Attributes:
        angle: in radians.
        scale: above 1 enlarges.
        shift: (down, across), as a share of the image's side.
    """

    angle: float
    scale: float
    shift: tuple[float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) to the same; edges are mirrored."""
        height, width = images.shape[-2:]
        cosine, sine = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        # affine_grid counts each axis from -1 to 1, so a turn must know the shape.
        rows = [
            [cosine, -sine * height / width, 2 * self.shift[1]],
            [sine * width / height, cosine, 2 * self.shift[0]],
        ]
        matrix = torch.tensor(rows, device=images.device, dtype=images.dtype)
        grid = F.affine_grid(
            matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False
        )
        if images.is_cuda and torch.are_deterministic_algorithms_enabled():
            # CUDA adds up this gradient in any order it likes; the CPU does not.
            return _sample(images.cpu(), grid.cpu()).to(images.device)
        return _sample(images, grid)


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def draw_affine(
    generator: Generator,
    *,
    turn: float = 0.3,
    scale: tuple[float, float] = (0.7, 1.25),
    shift: float = 0.09,
) -> Affine:
    """Draw an ``Affine``: angle within ±turn, scale within its bounds, shift within ±shift."""
    angle, size, down, across = torch.rand(4, generator=generator).tolist()
    return Affine(
        angle=turn * (2 * angle - 1),
        scale=scale[0] + (scale[1] - scale[0]) * size,
        shift=(shift * (2 * down - 1), shift * (2 * across - 1)),
    )
