"""Small random changes that a picture must survive to please a net.

What a net sees only at one angle and one size is noise to an eye. Each
transform is drawn once, then is a plain function of a batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.imaging import Size

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Affine:
    """PassSettings, scale and shift a batch of images about their centres.

    Attributes:
        angle: in radians.
        scale: above 1 enlarges.
        shift: (down, across), as a share of the image's side.
    """

    angle: float
    scale: float
    shift: tuple[float, float]

    def __call__(self, images: Tensor) -> Tensor:
        """(n, 3, height, width) to the same; edges are mirrored.

        Where that comes close to the exact way back, gradients are turned, scaled and
        shifted back as if they were images, which takes about half its time.
        """
        size = images.shape[2], images.shape[3]
        down, across = self.reach(size)
        if 0.5 <= self.scale <= 2 and down <= size[0] and across <= size[1]:
            turned: Tensor = _Turn.apply(images, self)
            return turned
        return self.sample(images.to(_repeatable(images)), "reflection").to(images.device)

    def undone(self, size: Size) -> Affine:
        """The way back, for images of (height, width)."""
        height, width = size
        cosine, sine = math.cos(self.angle) * self.scale, math.sin(self.angle) * self.scale
        down, across = self.shift
        shift = (
            sine * width / height * across - cosine * down,
            -sine * height / width * down - cosine * across,
        )
        return Affine(-self.angle, 1 / self.scale, shift)

    def reach(self, size: Size) -> Size:
        """How far past the edges of images of (height, width) it looks, in pixels."""
        cosine, sine = (
            abs(math.cos(self.angle)) / self.scale,
            abs(math.sin(self.angle)) / self.scale,
        )
        height, width = size
        down = cosine * height + sine * width + 2 * abs(self.shift[0]) * height
        across = cosine * width + sine * height + 2 * abs(self.shift[1]) * width
        return max(0, math.ceil((down - height) / 2)), max(0, math.ceil((across - width) / 2))

    def sample(self, images: Tensor, padding: str, margin: Size = (0, 0)) -> Tensor:
        """What it shows, with a margin of (down, across) pixels around it.

        Args:
            images: (n, channels, height, width).
            padding: of ``F.grid_sample``.
            margin: on every side.
        """
        count, channels, *size = images.shape
        # Each axis is counted from -1 to 1, so a turn must know the shape. F.affine_grid
        # would do, but have its numbers sent to the device first.
        down, across = (
            (2 * torch.arange(-more, length + more, device=images.device) + 1) / length - 1
            for length, more in zip(size, margin, strict=True)
        )
        cosine, sine = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        slant = sine * size[0] / size[1], sine * size[1] / size[0]
        places = torch.stack(
            (
                cosine * across - slant[0] * down[:, None] + 2 * self.shift[1],
                slant[1] * across + cosine * down[:, None] + 2 * self.shift[0],
            ),
            dim=-1,
        )
        # On the CPU every image of a batch finds its pixels by itself. As channels of one
        # image, several share that.
        apart = _enough_tasks(count) if images.device.type == "cpu" else count
        shown = F.grid_sample(
            images.reshape(apart, -1, *size),
            places.to(images.dtype).expand(apart, -1, -1, -1),
            padding_mode=padding,
            align_corners=False,
        )
        return shown.view(count, channels, *places.shape[:2])


class _Turn(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, turn: Affine) -> Tensor:
        context.turn = turn
        return turn.sample(images, "reflection")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        turn: Affine = context.turn
        size = gradient.shape[2], gradient.shape[3]
        down, across = turn.reach(size)
        back = turn.undone(size).sample(gradient, "zeros", (down, across))
        # A pixel that is enlarged has so many more shares in what is shown.
        return _folded(_folded(back, 2, down), 3, across).mul_(turn.scale**2), None


def _folded(images: Tensor, axis: int, margin: int) -> Tensor:
    """Add what lies in a margin of an axis where its mirror image lies, and cut it off."""
    length = images.shape[axis] - 2 * margin
    inside = images.narrow(axis, margin, length)
    if margin:
        inside.narrow(axis, 0, margin).add_(images.narrow(axis, 0, margin).flip(axis))
        end = images.narrow(axis, margin + length, margin)
        inside.narrow(axis, length - margin, margin).add_(end.flip(axis))
    return inside


def _enough_tasks(count: int) -> int:
    """Into how many equal parts to share a batch out, so that no thread waits for long."""
    wanted = min(count, 2 * torch.get_num_threads())
    return next(parts for parts in range(wanted, count + 1) if count % parts == 0)


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
    """NightmareStep ``count`` of ``draw_affine``, each at its own part of the range of scales."""
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
