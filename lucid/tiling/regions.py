"""Regions of a picture that a target is painted in: inside a mask, or under a brush.

The brush and its paths follow the notebooks of Audun M. Øygard's deepdraw (2015), with a soft
round window in place of a clipping mask.
"""

from __future__ import annotations

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lucid.core.ascent import View
from lucid.core.device import to_device
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.tiling.tiles import Pass, Tile, TileView, Tiling

Point = tuple[float, float]
"""x and y, as fractions of the picture's width and height."""


class Region(ABC):
    """A part of a picture."""

    @abstractmethod
    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        """Draw the views of one pass over the region, in order.

        Args:
            size: height and width of the picture.
            tiling: the size and order of tiles, and the padding.
            generator: of the random numbers.
        """

    @abstractmethod
    def mask(self, size: Size) -> Tensor:
        """How far each pixel belongs to the region, (*size,), 0..1."""


@dataclass(frozen=True, eq=False)
class MaskRegion(Region):
    """Where a mask is bright.

    Attributes:
        shape: the mask, (height, width), 0..1; it is stretched over the picture.
    """

    shape: Tensor

    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        """Those tiles of a pass that the mask touches."""
        mask = self.mask(size)
        tile_pass = tiling.cut(size, generator)
        height, width = tile_pass.tile
        views = []
        for batch in tile_pass.batches:
            touched = []
            for tile in batch:
                top, left = max(0, tile.top), max(0, tile.left)
                bottom, right = max(0, tile.top + height), max(0, tile.left + width)
                if mask[top:bottom, left:right].any():
                    touched.append(tile)
            if touched:
                views.append(_MaskedView(TileView(tile_pass, touched), mask))
        return views

    def mask(self, size: Size) -> Tensor:
        """The mask at the size of the picture."""
        shown = F.interpolate(self.shape[None, None], size, mode="bilinear", antialias=True)
        return shown[0, 0]


def best_tile_first(views: Sequence[View], where: Tensor) -> list[View]:
    """Views of tiles in another order: the tile that shows most of some places comes first, alone.

    Args:
        views: as ``MaskRegion`` draws them; if others are among them, nothing changes.
        where: (height, width) of the picture, above 0 in those places.
    """
    best: tuple[float, int, Tile] | None = None
    for index, view in enumerate(views):
        if not isinstance(view, _MaskedView):
            return list(views)
        height, width = view.view.tile_pass.tile
        for tile in view.view.batch:
            rows = slice(max(0, tile.top), max(0, tile.top + height))
            columns = slice(max(0, tile.left), max(0, tile.left + width))
            seen = float(where[rows, columns].sum())
            if seen > 0 and (best is None or seen > best[0]):
                best = seen, index, tile
    if best is None:
        return list(views)
    _, index, tile = best
    found = views[index]
    assert isinstance(found, _MaskedView)
    others = [each for each in found.view.batch if each != tile]
    alone = [found.only([tile])]
    return [*alone, *views[:index], *([found.only(others)] if others else []), *views[index + 1 :]]


@dataclass(frozen=True)
class _MaskedView:
    view: TileView
    mask: Tensor

    def only(self, tiles: list[Tile]) -> _MaskedView:
        return replace(self, view=replace(self.view, batch=tiles))

    def gather(self, image: Tensor) -> Tensor:
        return self.view.gather(image)

    def scatter(self, values: Tensor) -> Tensor:
        return self.view.scatter(values) * to_device(self.mask, values.device)


MAX_DABS = 128
"""The most dabs of a brush that are painted at once: each is as large in memory as a tile."""


@dataclass(frozen=True)
class PathRegion(Region):
    """Under a soft round brush that is drawn along a path, or set down at a point.

    Attributes:
        points: the corners of the path, which runs straight from each to the next.
        diameter: the brush's, as a fraction of the picture's shorter side.
    """

    points: tuple[Point, ...]
    diameter: float = 0.5

    def views(self, size: Size, tiling: Tiling, generator: Generator) -> Sequence[View]:
        """Dabs of the brush along the path, as one view, or as several if there are many."""
        side = self._side(size)
        spacing = side / 2
        start = spacing * float(torch.rand((), generator=generator))
        # Each dab is displaced at random, so that no rim of one shows.
        room = side / 8
        tiles = []
        for x, y in self._points_along(size, spacing, start):
            dy, dx = (room * (2 * torch.rand(2, generator=generator) - 1)).tolist()
            tiles.append(Tile(round(y + dy - side / 2), round(x + dx - side / 2)))
        views = []
        for first in range(0, len(tiles), MAX_DABS):
            some = tiles[first : first + MAX_DABS]
            dabs = _DabPass(size, (side, side), [some], tiling.padding)
            views.append(_DabView(dabs, some, tiling.tile))
        return views

    def mask(self, size: Size) -> Tensor:
        """Full strength up to half the brush's radius from the path, then softly to nothing."""
        side = self._side(size)
        rows, columns = (torch.arange(length) + 0.5 for length in size)
        distance = torch.full(size, math.inf)
        for x, y in self._points_along(size, side / 16, 0):
            near = tuple(
                slice(max(0, int(middle - side / 2)), max(0, int(middle + side / 2) + 2))
                for middle in (y, x)
            )
            there = torch.hypot(rows[near[0], None] - y, columns[near[1]] - x)
            distance[near] = torch.minimum(distance[near], there)
        fall = ((distance / (side / 2) - 0.5) * 2).clamp(0, 1)
        return (1 + torch.cos(math.pi * fall)) / 2

    def _side(self, size: Size) -> int:
        """The brush's diameter in pixels."""
        return max(8, round(self.diameter * min(size)))

    def _points_along(self, size: Size, spacing: float, start: float) -> list[Point]:
        """Points of the path that lie ``spacing`` apart, in pixels; at least one."""
        height, width = size
        corners = [(x * width, y * height) for x, y in self.points]
        points, left = [], start
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            length = math.hypot(x1 - x0, y1 - y0)
            while left <= length and length > 0:
                share = left / length
                points.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
                left += spacing
            left -= length
        return points or corners[:1]


class _DabPass(Pass):
    """Tiles under round windows, whose weights never sum to more than one."""

    def window(self, like: Tensor) -> Tensor:
        rows, columns = (
            (torch.arange(length, device=like.device) + 0.5) * 2 / length - 1
            for length in self.tile
        )
        return (1 + torch.cos(math.pi * torch.hypot(rows[:, None], columns).clamp(max=1))) / 2

    def weights(self, like: Tensor) -> Tensor:
        return super().weights(like).clamp(min=1)


@dataclass(frozen=True)
class _DabView:
    """Dabs of a brush of any size, which the net is shown at the size of a tile."""

    dabs: _DabPass
    tiles: list[Tile]
    shown: Size

    def gather(self, image: Tensor) -> Tensor:
        tiles = TileView(self.dabs, self.tiles).gather(image)
        return F.interpolate(tiles, self.shown, mode="bilinear", antialias=True)

    def scatter(self, values: Tensor) -> Tensor:
        back = F.interpolate(values, self.dabs.tile, mode="bilinear", antialias=True)
        return TileView(self.dabs, self.tiles).scatter(back)


def move(first: Region | None, last: Region | None, share: float) -> Region | None:
    """A region on its way from one to another: brushes move, masks are mixed, others stay.

    Args:
        first: where it comes from; None for the whole picture.
        last: where it goes to.
        share: of the way that is behind it, 0..1.
    """
    if isinstance(first, PathRegion) and isinstance(last, PathRegion):
        if len(first.points) != len(last.points):
            return first
        points = tuple(
            (x0 + share * (x1 - x0), y0 + share * (y1 - y0))
            for (x0, y0), (x1, y1) in zip(first.points, last.points, strict=True)
        )
        return PathRegion(points, first.diameter + share * (last.diameter - first.diameter))
    if isinstance(first, MaskRegion) and isinstance(last, MaskRegion):
        size = (first.shape.shape[0], first.shape.shape[1])
        return MaskRegion(first.shape.lerp(last.mask(size), share))
    return first


_ANGLES = [2 * math.pi * step / 64 for step in range(65)]

PATHS: dict[str, tuple[Point, ...]] = {
    "line": ((0.1, 0.5), (0.9, 0.5)),
    "circle": tuple((0.5 + 0.33 * math.sin(a), 0.5 - 0.33 * math.cos(a)) for a in _ANGLES),
    "sine": tuple((0.1 + 0.4 * a / math.pi, 0.5 - 0.3 * math.sin(a)) for a in _ANGLES),
}


def read_path(text: str) -> tuple[Point, ...]:
    """Read a path: a name of ``PATHS``, or points such as ``.1,.5 .5,.2 .9,.5``.

    Args:
        text: what was typed. SVG's letters for straight lines, M, L and Z, may stand between
            points.

    Returns:
        The corners, as fractions of the picture's width and height.

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
