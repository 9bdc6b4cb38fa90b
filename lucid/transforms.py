"""Small random changes that a picture must survive to please a net.

What a net sees only at one angle and one size is noise to an eye. Each
transform is drawn once, then is a plain function of a batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.images import Size

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
        grid = F.affine_grid(matrix[None], [1, *images.shape[1:]], align_corners=False)
        grid = grid.expand(len(images), -1, -1, -1)
        place = _repeatable(images)
        return F.grid_sample(
            images.to(place),
            grid.to(place),
            padding_mode="reflection",
            align_corners=False,
        ).to(images.device)


@dataclass(frozen=True)
class Pad:
    """Put a batch of images into a grey frame, so that none ends where the net's view does
    (Olah, Mordvintsev and Schubert, 2017).

    Attributes:
        width: of the frame, in pixels.
        grey: 0..1.
    """

    width: int
    grey: float = 0.5

    def __call__(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, 3, height + 2 x frame, width + 2 x frame)."""
        return F.pad(images, [self.width] * 4, value=self.grey)


@dataclass(frozen=True)
class Shrink:
    """Show a batch of images from further away.

    Attributes:
        size: (height, width) to show them at, in pixels.
    """

    size: Size

    def __call__(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, 3, *size)."""
        shown = F.interpolate(
            images.to(_repeatable(images)), self.size, mode="bilinear", antialias=True
        )
        return shown.to(images.device)


def compose(*transforms: Transform | None) -> Transform:
    """One after the other."""
    given = [transform for transform in transforms if transform]

    def apply(images: Tensor) -> Tensor:
        for transform in given:
            images = transform(images)
        return images

    return apply


def _repeatable(images: Tensor) -> torch.device:
    """Where gradients of a resampling are the same each time, if they must be.

    CUDA adds them up in any order it likes; the CPU does not.
    """
    if images.is_cuda and torch.are_deterministic_algorithms_enabled():
        return torch.device("cpu")
    return images.device


def draw_affine(
    generator: Generator,
    *,
    turn: float,
    scale: tuple[float, float],
    shift: float,
) -> Affine:
    """Draw an ``Affine``: angle within ±turn, scale within its bounds, shift within ±shift."""
    angle, size, down, across = torch.rand(4, generator=generator).tolist()
    return Affine(
        angle=turn * (2 * angle - 1),
        scale=scale[0] + (scale[1] - scale[0]) * size,
        shift=(shift * (2 * down - 1), shift * (2 * across - 1)),
    )


def draw_glances(
    generator: Generator, count: int, *, turn: float, scale: tuple[float, float], shift: float
) -> list[Affine]:
    """Draw ``count`` of ``draw_affine``, each at its own part of the range of scales."""
    low, high = scale
    bounds = [low + (high - low) * number / count for number in range(count + 1)]
    return [
        draw_affine(generator, turn=turn, scale=between, shift=shift)
        for between in itertools.pairwise(bounds)
    ]


def draw_shrink(generator: Generator, seen: Size, least: Size, afar: float = 0) -> Shrink | None:
    """Draw how far away to look from: from as far as makes ``seen`` no larger than
    ``least`` to not at all. None where it is no larger anyway.

    A net knows whole things by how they look at the size it was trained at, and
    their parts by how they look from nearby.

    Args:
        generator: of the draw.
        seen: (height, width) of the images, in pixels.
        least: (height, width) that the net was trained at.
        afar: how likely it is from as far as may be, 0..1.
    """
    farthest = min(1.0, max(small / side for small, side in zip(least, seen, strict=True)))
    if farthest == 1:
        return None
    if afar and float(torch.rand((), generator=generator)) < afar:
        share = farthest
    else:
        share = farthest + (1 - farthest) * float(torch.rand((), generator=generator))
    height, width = seen
    return Shrink((round(height * share), round(width * share)))
