"""Cut a picture into overlapping tiles, and blend what comes back for them.

A tile is a rectangle of fixed size that may reach past the picture. A pass is a list of batches
of tiles that together cover every pixel. The lattice of each pass starts at a random offset, so
that no seam can build up where tiles meet.

The spiral of overlapping tiles follows Audun M. Øygard's deepdraw (2015). The blending is new:
each tile has a Hann window, divided by the sum of all windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.padding import crop
from lucid.plugins import call


class Tile(NamedTuple):
    """The position of a tile's top left corner, in pixels; negative outside the picture."""

    top: int
    left: int


Batch = list[Tile]
"""Tiles that the net is shown at once."""


@dataclass
class Pass:
    """Tiles that cover a picture once: every pixel is in at least one.

    Attributes:
        size: the picture's height and width.
        tile: the tiles' height and width.
        batches: tiles that are optimized together, in order; a later batch is shown what the
            earlier ones changed.
        padding: how tiles are filled past the picture's border.
    """

    size: Size
    tile: Size
    batches: list[Batch]
    padding: str = "reflect"
    _weights: Tensor | None = field(default=None, init=False, repr=False)

    def views(self) -> list[TileView]:
        """A view for each batch, in order."""
        views = []
        for batch in self.batches:
            views.append(TileView(self, batch))
        return views

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
        """A tile's own blending weights, (*tile,), which fall off from its middle."""
        rows, columns = (hann(side, like.device) for side in self.tile)
        return rows[:, None] * columns

    def add(self, picture: Tensor, tile: Tile, values: Tensor) -> None:
        """Add a tile's values, (channels, *tile), to a (channels, *size) picture, in place."""
        for tile_rows, rows in self.overlaps(tile.top, 0):
            for tile_columns, columns in self.overlaps(tile.left, 1):
                picture[:, rows, columns] += values[:, tile_rows, tile_columns]

    def overlaps(self, start: int, axis: int) -> Iterator[tuple[slice, slice]]:
        """Yield where a tile that begins at ``start`` and the picture overlap along an axis.

        A part of the tile, and where it lies in the picture; several if the picture wraps.
        """
        length, stop = self.size[axis], start + self.tile[axis]
        # What lies past a border that does not wrap is only padding.
        copies = (
            range(start // length, (stop - 1) // length + 1) if self.padding == "wrap" else (0,)
        )
        for copy in copies:
            first, last = max(start, copy * length), min(stop, (copy + 1) * length)
            if first < last:
                yield (
                    slice(first - start, last - start),
                    slice(first - copy * length, last - copy * length),
                )


@dataclass(frozen=True)
class TileView:
    """A batch of tiles of a pass, as the ascent looks at them.

    Attributes:
        tile_pass: the pass that the tiles belong to.
        batch: the tiles.
    """

    tile_pass: Pass
    batch: Batch

    def gather(self, image: Tensor) -> Tensor:
        """Cut the batch's tiles, (n, channels, *tile), from a (channels, *size) image."""
        height, width = self.tile_pass.tile
        tops, lefts = zip(*self.batch, strict=True)
        rows, columns = (
            range(min(tops), max(tops) + height),
            range(min(lefts), max(lefts) + width),
        )
        if (
            rows.start >= 0
            and columns.start >= 0
            and rows.stop <= image.shape[1]
            and columns.stop <= image.shape[2]
        ):
            shown = image[:, rows.start : rows.stop, columns.start : columns.stop]
        else:
            shown = crop(image, rows, columns, wrap=self.tile_pass.padding == "wrap")
        tiles = []
        for top, left in self.batch:
            top, left = top - rows.start, left - columns.start  # noqa: PLW2901
            tiles.append(shown[:, top : top + height, left : left + width])
        stacked = torch.stack(tiles)
        return _fill_with_mean(self, stacked) if self.tile_pass.padding == "mean" else stacked

    def scatter(self, values: Tensor) -> Tensor:
        """Blend (n, channels, *tile) values into a (channels, *size) picture.

        The blending weights of all batches of a pass sum to one at every pixel, so their
        pictures add up to what the tiles hold where they agree.
        """
        blended = self.accumulate(values * self.tile_pass.window(values))
        return blended / self.tile_pass.weights(values)

    def accumulate(self, values: Tensor) -> Tensor:
        """Add (n, channels, *tile) values up where they lie in the picture."""
        picture = values.new_zeros(values.shape[1], *self.tile_pass.size)
        for tile, value in zip(self.batch, values, strict=True):
            self.tile_pass.add(picture, tile, value)
        return picture


@dataclass(frozen=True)
class RolledView:
    """A view of the picture rolled over its borders: the jitter of Google's DeepDream (2015).

    Attributes:
        view: the view of the rolled picture.
        dy: how far the picture is rolled down, in pixels.
        dx: how far the picture is rolled to the right, in pixels.
    """

    view: TileView
    dy: int
    dx: int

    def gather(self, image: Tensor) -> Tensor:
        """Roll, then gather."""
        return self.view.gather(image.roll((self.dy, self.dx), (1, 2)))

    def scatter(self, values: Tensor) -> Tensor:
        """Scatter, then roll back."""
        return self.view.scatter(values).roll((-self.dy, -self.dx), (1, 2))


def hann(length: int, device: torch.device | None = None) -> Tensor:
    """A Hann window of ``length`` weights, sampled between its zeros: above zero everywhere."""
    return torch.sin((torch.arange(length, device=device) + 0.5) * (math.pi / length)) ** 2


def tile_offsets(length: int, tile: int, stride: int, offset: int, wrap: bool = False) -> list[int]:
    """Where tiles start along one axis so that they cover ``length`` pixels.

    A tile that is no shorter than the picture is centred on it, alone.
    """
    if wrap:
        return list(range(-offset, math.ceil(length / stride) * stride - offset, stride))
    if tile >= length:
        return [-((tile - length) // 2)]
    count = math.ceil((length - tile + offset) / stride) + 1
    return list(range(-offset, count * stride - offset, stride))


def rings(rows: Sequence[int], columns: Sequence[int]) -> list[Batch]:
    """Order the tiles of a lattice ring by ring from the centre.

    Each ring runs clockwise from the left.

    Args:
        rows: the tops of the tiles.
        columns: the lefts of the tiles.
    """
    cells = []
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            dy, dx = 2 * i - len(rows) + 1, 2 * j - len(columns) + 1
            cells.append((max(abs(dy), abs(dx)) // 2, math.atan2(dy, dx), Tile(top, left)))
    cells.sort()
    batches: dict[int, Batch] = {}
    for ring, _, tile in cells:
        batches.setdefault(ring, []).append(tile)
    return list(batches.values())


def _randint(low: int, high: int, generator: Generator) -> int:
    """A whole number from low up to and including high."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _lattice(
    size: Size, tile: Size, stride: Size, wrap: bool, generator: Generator
) -> list[list[int]]:
    """The tops and the lefts of a lattice that starts at a random offset."""
    axes = []
    for length, side, step in zip(size, tile, stride, strict=True):
        offset = int(torch.randint(step, (), generator=generator))
        axes.append(tile_offsets(length, side, step, offset, wrap))
    return axes


def spiral(size: Size, tile: Size, stride: Size, wrap: bool, generator: Generator) -> list[Batch]:
    """Ring by ring from the centre; each ring is shown what the ring inside it changed."""
    return rings(*_lattice(size, tile, stride, wrap, generator))


def grid(size: Size, tile: Size, stride: Size, wrap: bool, generator: Generator) -> list[Batch]:
    """All tiles at once, row by row."""
    rows, columns = _lattice(size, tile, stride, wrap, generator)
    return [[Tile(top, left) for top in rows for left in columns]]


def random(size: Size, tile: Size, stride: Size, wrap: bool, generator: Generator) -> list[Batch]:
    """All tiles at once, in random order, each displaced by as much as leaves no gap.

    Two neighbours can part by twice the room, which is what they overlap by; at the picture's
    borders the lattice reaches out by the room.
    """
    dy, dx = (tile[0] - stride[0]) // 2, (tile[1] - stride[1]) // 2
    reached = (size[0] + 2 * dy, size[1] + 2 * dx)
    rows, columns = _lattice(reached, tile, stride, wrap, generator)
    tiles = [
        Tile(
            top - dy + _randint(-dy, dy, generator),
            left - dx + _randint(-dx, dx, generator),
        )
        for top in rows
        for left in columns
    ]
    return [[tiles[k] for k in torch.randperm(len(tiles), generator=generator).tolist()]]


Order = Callable[[Size, Size, Size, bool, Generator], list[Batch]]
"""A function of (picture size, tile size, stride from tile to tile, whether the picture wraps,
generator) that returns batches of tiles that cover the picture."""

ORDERS: dict[str, Order] = {
    "spiral": spiral,
    "random": random,
    "grid": grid,
}
"""Tile orders by name."""

PADDINGS = ("reflect", "wrap", "mean")
"""Padding beyond the border: reflect, wrap, or (deepdraw's) the mean colour of the tile."""


@dataclass(frozen=True)
class Tiling:
    """How to cut pictures into tiles.

    Attributes:
        tile: the tiles' height and width, in pixels, 8 or more.
        order: one of ``ORDERS``, or a function like them; or ``none``, for which the picture is
            its only tile, whatever its size; or, to compare with, ``fixed`` (deepdraw's first
            form).
        overlap: how much neighbouring tiles share, as a fraction of a tile, 0 to under 1.
        padding: one of ``PADDINGS``.

    Raises:
        UsageError: an attribute makes no sense.
    """

    tile: Size
    order: str | Order = "spiral"
    overlap: float = 0.5
    padding: str = "reflect"

    def __post_init__(self) -> None:
        if not callable(self.order) and self.order not in (*ORDERS, "none", "fixed"):
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
        """Draw one pass over a picture of (height, width); each pass starts elsewhere."""
        if self.order == "none":
            return Pass(size, size, [[Tile(0, 0)]], self.padding)
        wrap, (height, width) = self.padding == "wrap", self.tile
        share = 1 - self.overlap
        stride = max(1, round(height * share)), max(1, round(width * share))
        if self.order == "fixed":
            batches = static_grid(size, self.tile, stride, wrap)
            return UnblendedPass(size, self.tile, batches, self.padding)
        if callable(self.order):
            given = {"size": size, "tile": self.tile, "stride": stride, "wrap": wrap}
            batches = _own_batches(self.order, {**given, "generator": generator})
            own = Pass(size, self.tile, batches, self.padding)
            _check_covered(own, self.order)
            return own
        batches = ORDERS[self.order](size, self.tile, stride, wrap, generator)
        return Pass(size, self.tile, batches, self.padding)


def _own_batches(order: Order, given: dict[str, Any]) -> list[Batch]:
    """What a user's order returns, if that is batches of tiles."""
    name = _name_of(order)
    found = call("order", order, **given)
    try:
        batches = [[Tile(int(top), int(left)) for top, left in batch] for batch in found]
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the order {name} must return a list of lists of (top, left), in pixels: {error}"
        ) from error
    if not any(batches):
        raise UsageError(f"the order {name} returned no tiles")
    return batches


def _check_covered(own: Pass, order: Order) -> None:
    """Raise a UsageError if the tiles of a user's order leave a part of the picture out."""
    covered = torch.zeros(1, *own.size, dtype=torch.bool)
    for tile in itertools.chain(*own.batches):
        own.add(covered, tile, torch.ones(1, *own.tile, dtype=torch.bool))
    if left_out := (~covered).nonzero().tolist():
        _, y, x = left_out[0]
        raise UsageError(
            f"the order {_name_of(order)} leaves {len(left_out)} pixels out, the first in row {y}, "
            f"column {x}: every pixel must be in a tile"
        )


def _name_of(order: Order) -> str:
    return getattr(order, "__name__", str(order))


# The rest is deepdraw's first form (Øygard, 2015), kept to compare with: a lattice that never
# moves, tiles that are pasted back whole, and padding with their mean colour.


class UnblendedPass(Pass):
    """A pass whose tiles are pasted back whole, one over the other."""

    def window(self, like: Tensor) -> Tensor:
        """Equal weights, (*tile,)."""
        return torch.ones(self.tile, device=like.device, dtype=like.dtype)

    def weights(self, like: Tensor) -> Tensor:
        """Equal weights, (1, *size)."""
        return torch.ones(1, *self.size, device=like.device, dtype=like.dtype)


def static_grid(size: Size, tile: Size, stride: Size, wrap: bool) -> list[Batch]:
    """Tile by tile, row by row, always in the same places."""
    rows, columns = (
        tile_offsets(length, side, step, 0, wrap)
        for length, side, step in zip(size, tile, stride, strict=True)
    )
    return [[Tile(top, left)] for top in rows for left in columns]


def _fill_with_mean(view: TileView, tiles: Tensor) -> Tensor:
    """Fill what lies past the picture's border with the mean colour of the tile's inside."""
    height, width = view.tile_pass.size
    for tile, (top, left) in zip(tiles, view.batch, strict=True):
        rows = slice(max(-top, 0), height - top)
        columns = slice(max(-left, 0), width - left)
        inside = tile[:, rows, columns].clone()
        tile[:] = inside.mean((1, 2), keepdim=True)
        tile[:, rows, columns] = inside
    return tiles
