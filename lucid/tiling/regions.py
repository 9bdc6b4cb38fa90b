"""Where in a picture something grows: everywhere, inside a mask, or under a brush.

The brush and its paths do what the notebooks of Audun M. Øygard's deepdraw do (2015), with
a soft round window in place of a clipping mask.
"""

from __future__ import annotations

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.core.ascent import View
from lucid.core.device import to_device
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.tiling.tiles import Pass, Tile, TileView, Tiling

Point = tuple[float, float]
"""x and y, as shares of the picture's width and height."""


class Region(ABC):
    """A part of a picture."""

    @abstractmethod
    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        """One pass over the place, as views of a picture of (height, width), in order.

        Args:
            size: of the picture.
            tiling: how large what the net is shown is, and what stands past the edge.
            generator: of all that is drawn.
        """

    @abstractmethod
    def mask(self, size: Size) -> Tensor | None:
        """How far each pixel belongs to it, (height, width), 0..1; None where all do."""


@dataclass(frozen=True)
class FullImage(Region):
    """The whole picture."""

    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        return tiling.cut(size, generator).views()

    def mask(self, size: Size) -> Tensor | None:
        return None


@dataclass(frozen=True, eq=False)
class MaskRegion(Region):
    """Where a mask is bright.

    Attributes:
        shape: the mask, (height, width), 0..1; stretched over the picture.
    """

    shape: Tensor

    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        mask = self.mask(size)
        sweep = tiling.cut(size, generator)
        views = []
        for batch in sweep.batches:
            # What lies in the dark need not be looked at.
            lit = [tile for tile in batch if _shown(mask, tile, sweep.tile).any()]
            if lit:
                views.append(_Masked(TileView(sweep, lit), mask))
        return views

    def mask(self, size: Size) -> Tensor:
        shown = F.interpolate(self.shape[None, None], size, mode="bilinear", antialias=True)
        return shown[0, 0]


def _shown(mask: Tensor, tile: Tile, size: Size) -> Tensor:
    """The part of a mask that a tile covers."""
    top, left = max(0, tile.top), max(0, tile.left)
    return mask[top : max(0, tile.top + size[0]), left : max(0, tile.left + size[1])]


@dataclass(frozen=True)
class _Masked:
    view: View
    mask: Tensor

    def gather(self, image: Tensor) -> Tensor:
        return self.view.gather(image)

    def scatter(self, values: Tensor) -> Tensor:
        return self.view.scatter(values) * to_device(self.mask, values.device)


@dataclass(frozen=True)
class PathRegion(Region):
    """Under a soft round brush that is drawn along a path, or set down at a point.

    Attributes:
        points: of the path, which runs straight from each to the next.
        diameter: of the brush, as a share of the picture's shorter side.
    """

    points: tuple[Point, ...]
    diameter: float = 0.5

    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        side = self._side(size)
        spacing = side / 2
        start = spacing * float(torch.rand((), generator=generator))
        # The brush trembles, so that no dab's rim shows.
        sway = side / 8
        tiles = []
        for x, y in self._along(size, spacing, start):
            down, across = (sway * (2 * torch.rand(2, generator=generator) - 1)).tolist()
            tiles.append(Tile(round(y + down - side / 2), round(x + across - side / 2)))
        return [_Dab(_Dabs(size, (side, side), [tiles], tiling.padding), tiles, tiling.tile)]

    def mask(self, size: Size) -> Tensor:
        side = self._side(size)
        rows, columns = (torch.arange(length) + 0.5 for length in size)
        distance = torch.full(size, math.inf)
        for x, y in self._along(size, side / 16, 0):
            here = torch.hypot(rows[:, None] - y, columns - x)
            distance = torch.minimum(distance, here)
        # Full strength to half the radius, then softly down to nothing.
        fall = ((distance / (side / 2) - 0.5) * 2).clamp(0, 1)
        return (1 + torch.cos(math.pi * fall)) / 2

    def _side(self, size: Size) -> int:
        return max(8, round(self.diameter * min(size)))

    def _along(self, size: Size, spacing: float, start: float) -> list[Point]:
        """Points, in pixels, that lie ``spacing`` apart on the path; at least one."""
        height, width = size
        corners = [(x * width, y * height) for x, y in self.points]
        found, left = [], start
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            length = math.hypot(x1 - x0, y1 - y0)
            while left <= length and length > 0:
                share = left / length
                found.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
                left += spacing
            left -= length
        return found or corners[:1]


class _Dabs(Pass):
    """Tiles under round windows, which never add up to more than one."""

    def window(self, like: Tensor) -> Tensor:
        down, across = (
            (torch.arange(length, device=like.device) + 0.5) * 2 / length - 1
            for length in self.tile
        )
        return (1 + torch.cos(math.pi * torch.hypot(down[:, None], across).clamp(max=1))) / 2

    def weights(self, like: Tensor) -> Tensor:
        return super().weights(like).clamp(min=1)


@dataclass(frozen=True)
class _Dab:
    """Dabs of a brush, shown to the net at a tile's size whatever their own."""

    sweep: _Dabs
    tiles: list[Tile]
    shown: Size

    def gather(self, image: Tensor) -> Tensor:
        seen = TileView(self.sweep, self.tiles).gather(image)
        return F.interpolate(seen, self.shown, mode="bilinear", antialias=True)

    def scatter(self, values: Tensor) -> Tensor:
        back = F.interpolate(values, self.sweep.tile, mode="bilinear", antialias=True)
        return TileView(self.sweep, self.tiles).scatter(back)


_TURN = [2 * math.pi * step / 64 for step in range(65)]

PATHS: dict[str, tuple[Point, ...]] = {
    "line": ((0.1, 0.5), (0.9, 0.5)),
    "circle": tuple((0.5 + 0.33 * math.sin(a), 0.5 - 0.33 * math.cos(a)) for a in _TURN),
    "sine": tuple((0.1 + 0.4 * a / math.pi, 0.5 - 0.3 * math.sin(a)) for a in _TURN),
}


def read_path(text: str) -> tuple[Point, ...]:
    """A path by its name, or as points: ``.1,.5 .5,.2 .9,.5``, as shares of the picture.

    SVG's letters for straight lines, M, L and Z, may stand between them.

    Raises:
        UsageError: it is neither.
    """
    if text in PATHS:
        return PATHS[text]
    problem = UsageError(
        f"path {text!r} is not {', '.join(PATHS)}, or points such as '.1,.5 .5,.2 .9,.5'"
    )
    if re.search(r"[^0-9.,\-\sMLZmlz]", text):
        raise problem
    try:
        numbers = [float(number) for number in re.split(r"[\s,MLZmlz]+", text) if number]
    except ValueError:
        raise problem from None
    if len(numbers) < 2 or len(numbers) % 2 or not all(-1 <= number <= 2 for number in numbers):
        raise problem
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return (*points, points[0]) if text.rstrip().lower().endswith("z") else points
