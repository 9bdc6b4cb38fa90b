"""Showing a net a large picture in parts, so that all parts together are the whole.

Tiles are pictures of their own, blended; windows are one picture, cut to fit
into memory. Each window answers for the features above its core, and sees as
far past the core as those features do. So the windows' gradients add up to the
gradient of the whole picture, to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lucid.core.device import saved_activation_bytes, total_memory
from lucid.errors import LucidError, UsageError
from lucid.imaging import Size

LATTICE = 64
"""Pixels. Windows begin at multiples of it, so that every layer of a net, whose strides
divide it, lies over a window as it lies over the picture."""

PROBES = (256, 512, 1024, 2048)
"""Pictures to try, in pixels a side, until one is larger than a feature sees."""

COSTS = (256, 384)
"""Pictures to measure memory on, in pixels a side; what is no larger always fits."""

SPARE = 2.0
"""How much memory a step takes, as a multiple of what it keeps for the way back."""

See = Callable[[Tensor, str], Tensor]
"""What a net's layer puts out, (n, …), for (n, 3, height, width) pictures."""


@dataclass(frozen=True)
class ReceptiveField:
    """How a layer's features lie over the picture.

    Attributes:
        stride: pixels from one feature to the next.
        margin: how many pixels past a piece of the picture the features above it see.
    """

    stride: int
    margin: int


@dataclass(frozen=True)
class Span:
    """A window along one axis, in pixels.

    Attributes:
        start: the first that it shows.
        stop: the one behind the last.
        core: those that it answers for.
        last: whether it is the last window, which answers for all that is left.
    """

    start: int
    stop: int
    core: range
    last: bool

    def features(self, stride: int) -> slice:
        """The core's, among those that the net sees in the window."""
        first = (self.core.start - self.start) // stride
        return slice(first, None if self.last else first + len(self.core) // stride)


@dataclass(frozen=True)
class Window:
    """A span of rows and a span of columns."""

    down: Span
    across: Span

    def pixels(self, pictures: Tensor) -> Tensor:
        """What it shows of (n, channels, height, width) pictures, as a view."""
        return pictures[
            :, :, self.down.start : self.down.stop, self.across.start : self.across.stop
        ]

    def core(self, features: Tensor, stride: int) -> Tensor:
        """Of the (n, channels, …, …) features seen in it, those it answers for."""
        return features[:, :, self.down.features(stride), self.across.features(stride)]


def spans(length: int, core: int, margin: int) -> list[Span]:
    """Cut ``length`` pixels into cores, each shown with a margin where there is one."""
    return [
        Span(
            max(0, start - margin),
            min(length, start + core + margin),
            range(start, min(length, start + core)),
            start + core >= length,
        )
        for start in range(0, length, core)
    ]


@dataclass(frozen=True)
class Windows:
    """How to cut pictures for a layer.

    Attributes:
        reach: of the layer.
        core: the side of what each window answers for, in pixels.
    """

    reach: ReceptiveField
    core: int

    def cut(self, size: Size) -> Iterator[Window]:
        """The windows of a picture of (height, width) pixels, row by row."""
        down, across = (spans(length, self.core, self.reach.margin) for length in size)
        return (Window(row, column) for row in down for column in across)


@dataclass
class WindowPlanner:
    """Which pictures must be cut, and how; what is found out about a layer is kept.

    Attributes:
        see: asks the net, at the precision that the ascent runs at.
        device: where it runs.
        tile_size: the largest side that it may be shown, in pixels; None for what
            fits into half of the device's memory.
    """

    see: See
    device: torch.device
    tile_size: int | None = None
    _reaches: dict[str, ReceptiveField] = field(default_factory=dict, init=False)
    _costs: dict[str, float] = field(default_factory=dict, init=False)

    def windows(self, layer: str, size: Size) -> Windows | None:
        """How to cut a picture of (height, width) for a layer; None if it may stay whole.

        Raises:
            UsageError: the tile size is smaller than what the layer sees.
            LucidError: the picture is too large, and the layer cannot be cut.
        """
        side = self._largest_side(layer, size)
        if max(size) <= side:
            return None
        if layer not in self._reaches:
            self._reaches[layer] = find_reach(self.see, layer, self.device)
        reach = self._reaches[layer]
        core = int(side - 2 * reach.margin) // LATTICE * LATTICE
        if core > 0:
            return Windows(reach, core)
        least = LATTICE + 2 * reach.margin
        if self.tile_size is None:
            raise LucidError(
                f"layer {layer} needs to see {least} pixels a side at once, and {self.device} has "
                "no memory for that: try an earlier layer"
            )
        raise UsageError(f"layer {layer} needs a tile size of {least} or more")

    def _largest_side(self, layer: str, size: Size) -> float:
        if self.tile_size is not None:
            return self.tile_size
        if math.prod(size) <= COSTS[-1] ** 2:
            return math.inf
        if layer not in self._costs:
            try:
                self._costs[layer] = _bytes_per_pixel(self.see, layer, self.device)
            except LucidError:
                # It sees one size only. If that is not the picture's, the step will say so.
                self._costs[layer] = 0
        room = total_memory(self.device) / 2
        needed = SPARE * self._costs[layer]
        if needed * math.prod(size) <= room:
            return math.inf
        return math.sqrt(room / needed)


def find_reach(see: See, layer: str, device: torch.device) -> ReceptiveField:
    """Where a layer's features lie, found by what becomes of a patch that is no number.

    Whatever a NaN can reach becomes NaN: the features that see the patch are
    just those. (cuDNN's kernels, some of which mix neighbours for speed, are
    switched off.)

    Args:
        see: asks the net.
        layer: the layer's name.
        device: where the net runs.

    Raises:
        LucidError: every feature sees the whole picture, or they do not lie in step.
    """

    def lost(side: int, start: int) -> Tensor:
        """Which features, (rows, columns), see the patch that starts there."""
        picture = torch.full((1, 3, side, side), 0.5, device=device)
        patch = slice(start, start + LATTICE)
        picture[:, :, patch, patch] = math.nan
        features = see(picture, layer)
        if features.ndim != 4:
            raise _cannot_be_cut(layer)
        return features[0].isnan().any(0)

    with torch.no_grad(), torch.backends.cudnn.flags(enabled=False):
        for side in PROBES:
            middle = side // 2
            seen, below = lost(side, middle - LATTICE), lost(side, middle)
            if not seen.any() or seen[0].any() or below[-1].any():
                continue
            more = lost(side + LATTICE, middle).shape[1] - seen.shape[1]
            stride = LATTICE // more if more else 0
            if stride * more != LATTICE or not torch.equal(seen.roll((more, more), (0, 1)), below):
                break
            places = seen.nonzero() * stride
            ahead = middle - LATTICE - int(places.min())
            behind = int(places.max()) - middle
            # A stride may step over the pixels at the patch's edge.
            margin = max(ahead, behind) + 2 * stride
            return ReceptiveField(stride, math.ceil(margin / LATTICE) * LATTICE)
    raise _cannot_be_cut(layer)


def _cannot_be_cut(layer: str) -> LucidError:
    return LucidError(
        f"the picture is larger than a tile or the memory, and layer {layer} cannot be seen in "
        "parts, as its features do not lie over parts of the picture: try an earlier layer"
    )


def _bytes_per_pixel(see: See, layer: str, device: torch.device) -> float:
    """What is kept for the way back, measured as the difference that size makes."""

    def kept(side: int) -> int:
        picture = torch.full((1, 3, side, side), 0.5, device=device, requires_grad=True)
        return saved_activation_bytes(lambda: see(picture, layer))

    small, large = COSTS
    return max(1.0, (kept(large) - kept(small)) / (large**2 - small**2))
