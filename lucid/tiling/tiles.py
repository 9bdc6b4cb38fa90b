"""Cutting a picture into overlapping tiles, and blending what they give back.

Pure geometry, plus ``gather`` and ``scatter``. A tile is a window of fixed size
that may reach past the picture; a pass is a list of batches of tiles that
together cover every pixel. The lattice of a pass starts at a random offset, so
that no seam can build up where tiles meet.

The spiral of overlapping windows follows Audun M. Øygard's deepdraw; the
blending is new here: a Hann window per tile, divided by the sum of all windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.padding import crop


class Tile(NamedTuple):
    """Where a tile's top left corner lies; negative outside the picture."""

    top: int
    left: int


Batch = list[Tile]


@dataclass
class Pass:
    """One sweep over a picture: every pixel is in at least one tile.

    Attributes:
        size: the picture's height and width.
        tile: the tiles' height and width.
        batches: tiles that are climbed together, in order; a later batch sees
            what the earlier ones changed.
        padding: how tiles are filled past the picture's edge.
    """

    size: Size
    tile: Size
    batches: list[Batch]
    padding: str = "reflect"
    _weights: Tensor | None = field(default=None, init=False, repr=False)

    def views(self) -> list[TileView]:
        """A view for each batch, in order."""
        return [TileView(self, batch) for batch in self.batches]

    def weights(self, like: Tensor) -> Tensor:
        """The sum of all tiles' windows at every pixel, (1, *size), above zero."""
        if self._weights is None:
            total = torch.zeros(1, *self.size, device=like.device, dtype=like.dtype)
            window = self.window(like)[None, None]
            for view in self.views():
                total += view.accumulate(window.expand(len(view.batch), 1, *self.tile))
            self._weights = total
        return self._weights

    def window(self, like: Tensor) -> Tensor:
        """How a tile's own weight falls off from its middle, *tile."""
        down, across = (hann(length, like.device) for length in self.tile)
        return down[:, None] * across

    def add(self, picture: Tensor, tile: Tile, values: Tensor) -> None:
        """Add a tile's values, (channels, *tile), to a (channels, *size) picture, in place."""
        for down, rows in self.inside(tile.top, 0):
            for across, columns in self.inside(tile.left, 1):
                picture[:, rows, columns] += values[:, down, across]

    def inside(self, start: int, axis: int) -> Iterator[tuple[slice, slice]]:
        """Of a tile that starts there, the parts along an axis that have pixels to change, each
        with where it lies in the picture."""
        length, stop = self.size[axis], start + self.tile[axis]
        # What lies past an edge that does not wrap only mirrors or fills.
        walls = range(start // length, (stop - 1) // length + 1) if self.padding == "wrap" else (0,)
        for wall in walls:
            first, last = max(start, wall * length), min(stop, (wall + 1) * length)
            if first < last:
                yield (
                    slice(first - start, last - start),
                    slice(first - wall * length, last - wall * length),
                )


class UnblendedPass(Pass):
    """A pass whose tiles are put back whole, one over the other, as deepdraw does."""

    def window(self, like: Tensor) -> Tensor:
        return torch.ones(self.tile, device=like.device, dtype=like.dtype)

    def weights(self, like: Tensor) -> Tensor:
        return torch.ones(1, *self.size, device=like.device, dtype=like.dtype)


@dataclass(frozen=True)
class RolledView:
    """A view of the picture rolled over its edges, as Google's deepdream looks."""

    view: TileView
    down: int
    across: int

    def gather(self, image: Tensor) -> Tensor:
        return self.view.gather(image.roll((self.down, self.across), (1, 2)))

    def scatter(self, values: Tensor) -> Tensor:
        return self.view.scatter(values).roll((-self.down, -self.across), (1, 2))


@dataclass(frozen=True)
class TileView:
    """A batch of tiles of a pass, as the ascent looks at them."""

    sweep: Pass
    batch: Batch

    def gather(self, image: Tensor) -> Tensor:
        """Cut the batch's tiles, (n, channels, *tile), from a (channels, *size) image."""
        rows, columns = self._span()
        shown = crop(image, rows, columns, wrap=self.sweep.padding == "wrap")
        tiles = torch.stack(
            [shown[:, down, across] for down, across in self._slices(rows, columns)]
        )
        return self._fill_with_mean(tiles) if self.sweep.padding == "mean" else tiles

    def scatter(self, values: Tensor) -> Tensor:
        """Blend (n, channels, *tile) values into a (channels, *size) picture.

        The blending weights of all the pass's batches sum to one at every
        pixel, so their pictures add up to what the tiles hold where they agree.
        """
        blended = self.accumulate(values * self.sweep.window(values))
        return blended / self.sweep.weights(values)

    def accumulate(self, values: Tensor) -> Tensor:
        """Add (n, channels, *tile) values up where they lie in the picture."""
        picture = values.new_zeros(values.shape[1], *self.sweep.size)
        for tile, value in zip(self.batch, values, strict=True):
            self.sweep.add(picture, tile, value)
        return picture

    def _span(self) -> tuple[range, range]:
        """The rows and columns from the first tile's edge to the last's."""
        tops, lefts = zip(*self.batch, strict=True)
        height, width = self.sweep.tile
        return range(min(tops), max(tops) + height), range(min(lefts), max(lefts) + width)

    def _slices(self, rows: range, columns: range) -> Iterator[tuple[slice, slice]]:
        """Each tile's place in a picture of those rows and columns."""
        height, width = self.sweep.tile
        for top, left in self.batch:
            down, across = top - rows.start, left - columns.start
            yield slice(down, down + height), slice(across, across + width)

    def _fill_with_mean(self, tiles: Tensor) -> Tensor:
        height, width = self.sweep.size
        for tile, (top, left) in zip(tiles, self.batch, strict=True):
            down = slice(max(-top, 0), height - top)
            across = slice(max(-left, 0), width - left)
            inside = tile[:, down, across].clone()
            tile[:] = inside.mean((1, 2), keepdim=True)
            tile[:, down, across] = inside
        return tiles


def hann(length: int, device: torch.device | None = None) -> Tensor:
    """A Hann window sampled between its zeros: above zero everywhere."""
    return torch.sin((torch.arange(length, device=device) + 0.5) * (math.pi / length)) ** 2


PADDINGS = ("reflect", "wrap", "mean")


def tile_offsets(length: int, tile: int, stride: int, offset: int, wrap: bool = False) -> list[int]:
    """Where tiles start along one axis so that they cover ``length`` pixels.

    A tile that is no shorter than the picture is centred on it, alone.
    """
    if wrap:
        return [k * stride - offset for k in range(math.ceil(length / stride))]
    if tile >= length:
        return [-((tile - length) // 2)]
    count = math.ceil((length - tile + offset) / stride) + 1
    return [k * stride - offset for k in range(count)]


def rings(rows: Sequence[int], columns: Sequence[int]) -> list[Batch]:
    """A lattice's tiles ring by ring from the middle out, each ring clockwise from its left."""

    def ring(i: int, j: int) -> int:
        return max(abs(2 * i - len(rows) + 1), abs(2 * j - len(columns) + 1)) // 2

    def angle(i: int, j: int) -> float:
        return math.atan2(2 * i - len(rows) + 1, 2 * j - len(columns) + 1)

    cells = [(i, j) for i in range(len(rows)) for j in range(len(columns))]
    cells.sort(key=lambda cell: (ring(*cell), angle(*cell)))
    batches: list[Batch] = [[] for _ in range(ring(0, 0) + 1)]
    for i, j in cells:
        batches[ring(i, j)].append(Tile(rows[i], columns[j]))
    return batches


def _stride(side: int, overlap: float) -> int:
    return max(1, round(side * (1 - overlap)))


def _draw(low: int, high: int, generator: Generator) -> int:
    """A whole number from low up to and including high."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _lattice(
    size: Size, tile: Size, overlap: float, wrap: bool, generator: Generator
) -> tuple[list[int], list[int]]:
    """Rows and columns of a lattice that starts at a random offset."""
    strides = [_stride(side, overlap) for side in tile]
    rows, columns = (
        tile_offsets(length, side, stride, _draw(0, stride - 1, generator), wrap)
        for length, side, stride in zip(size, tile, strides, strict=True)
    )
    return rows, columns


def spiral(size: Size, tile: Size, overlap: float, wrap: bool, generator: Generator) -> list[Batch]:
    """Ring by ring from the centre; each ring sees what the one inside it changed."""
    return rings(*_lattice(size, tile, overlap, wrap, generator))


def grid(size: Size, tile: Size, overlap: float, wrap: bool, generator: Generator) -> list[Batch]:
    """All tiles at once, row by row."""
    rows, columns = _lattice(size, tile, overlap, wrap, generator)
    return [[Tile(top, left) for top in rows for left in columns]]


def random(size: Size, tile: Size, overlap: float, wrap: bool, generator: Generator) -> list[Batch]:
    """All tiles at once, in random order, each displaced by as much as leaves no gap.

    Two neighbours can part by twice the room, which is what they overlap by; at
    the picture's edges the lattice reaches out by the room.
    """
    down, across = ((side - _stride(side, overlap)) // 2 for side in tile)
    reach = (size[0] + 2 * down, size[1] + 2 * across)
    rows, columns = _lattice(reach, tile, overlap, wrap, generator)
    tiles = [
        Tile(
            top - down + _draw(-down, down, generator),
            left - across + _draw(-across, across, generator),
        )
        for top in rows
        for left in columns
    ]
    return [[tiles[k] for k in torch.randperm(len(tiles), generator=generator).tolist()]]


def static_grid(size: Size, tile: Size, overlap: float, wrap: bool) -> list[Batch]:
    """Tile by tile, row by row, the lattice always in the same place."""
    rows, columns = (
        tile_offsets(length, side, _stride(side, overlap), 0, wrap)
        for length, side in zip(size, tile, strict=True)
    )
    return [[Tile(top, left)] for top in rows for left in columns]


ORDERS: dict[str, Callable[[Size, Size, float, bool, Generator], list[Batch]]] = {
    "spiral": spiral,
    "random": random,
    "grid": grid,
}


@dataclass(frozen=True)
class Tiling:
    """How to cut pictures into tiles.

    Attributes:
        tile: the tiles' height and width.
        order: ``spiral``, ``grid``, ``random``, ``none`` (the picture is its
            only tile, whatever its size) or, to compare with, ``static_grid`` (deepdraw's
            first form: the lattice stays, each tile is pasted back whole).
        overlap: how much neighbouring tiles share, as a fraction of a tile,
            from 0 to under 1.
        padding: what stands past the picture's edge: its reflection
            (``reflect``), the other side (``wrap``) or, as in deepdraw, the
            mean colour of the rest of the tile (``mean``).
    """

    tile: Size
    order: str = "spiral"
    overlap: float = 0.5
    padding: str = "reflect"

    def __post_init__(self) -> None:
        if self.order not in (*ORDERS, "none", "fixed"):
            raise UsageError(
                f"tiles {self.order!r} are not one of {', '.join(ORDERS)}, none, fixed"
            )
        if self.padding not in PADDINGS:
            raise UsageError(f"padding {self.padding!r} is not one of {', '.join(PADDINGS)}")
        if not 0 <= self.overlap < 1:
            raise UsageError(f"overlap {self.overlap} must be from 0 to under 1: .5 is half a tile")
        if not min(self.tile) >= 8:
            raise UsageError(f"tiles of {min(self.tile)} pixels show a net nothing: use 8 or more")

    def cut(self, size: Size, generator: Generator) -> Pass:
        """Draw one pass over a picture of (height, width); each starts elsewhere."""
        if self.order == "none":
            return Pass(size, size, [[Tile(0, 0)]], self.padding)
        wrap = self.padding == "wrap"
        if self.order == "fixed":
            batches = static_grid(size, self.tile, self.overlap, wrap)
            return UnblendedPass(size, self.tile, batches, self.padding)
        batches = ORDERS[self.order](size, self.tile, self.overlap, wrap, generator)
        return Pass(size, self.tile, batches, self.padding)
