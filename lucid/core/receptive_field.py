"""Receptive fields of layers, and large pictures cut into windows whose gradients add up exactly.

A tile is a picture of its own, and tiles are blended. A window is a part of one picture that does
not fit into memory: its objective counts the features above the window's core only, and the core
has a margin as wide as those features see. So the windows' gradients add up to the gradient of
the whole picture, to rounding.
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
"""Pixels. Windows begin at multiples of this, so that every layer of a net, whose strides divide
it, has its features at the same places in a window as in the picture."""

PROBE_SIDES = (256, 512, 1024, 2048)
"""Pictures to try, in pixels a side, until one is larger than the receptive field."""

MEMORY_SIDES = (256, 384)
"""Pictures to measure memory with, in pixels a side; smaller pictures always fit."""

SAFETY_FACTOR = 2.0
"""Memory that a step takes, as a multiple of what it saves for the backward pass."""

LayerOutput = Callable[[Tensor, str], Tensor]
"""Computes what a layer puts out, (n, ...), for (n, 3, height, width) pictures."""


@dataclass(frozen=True)
class ReceptiveField:
    """Pixels from one feature of a layer to the next, and how far past its own place one sees."""

    stride: int
    margin: int


@dataclass(frozen=True)
class Span:
    """A window along one axis, in pixels.

    Attributes:
        start: the first pixel shown.
        stop: one past the last pixel shown.
        core: the pixels whose features the window counts.
        last: whether the window is the last one, which counts all features that are left.
    """

    start: int
    stop: int
    core: range
    last: bool

    def features(self, stride: int) -> slice:
        """The core's features, among those that the net computes for the window."""
        first = (self.core.start - self.start) // stride
        return slice(first, None if self.last else first + len(self.core) // stride)


@dataclass(frozen=True)
class Window:
    """A span of rows and a span of columns."""

    rows: Span
    columns: Span

    def pixels(self, pictures: Tensor) -> Tensor:
        """The window of (n, channels, height, width) pictures, as a view."""
        rows, columns = self.rows, self.columns
        return pictures[:, :, rows.start : rows.stop, columns.start : columns.stop]

    def core(self, features: Tensor, stride: int) -> Tensor:
        """The core's features, of (n, channels, rows, columns) computed for the window."""
        return features[:, :, self.rows.features(stride), self.columns.features(stride)]


def spans(length: int, core: int, margin: int) -> list[Span]:
    """Cut ``length`` pixels into cores, each with a margin where there are pixels for one."""
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
    """How to cut pictures for a layer: its receptive field, and the side of cores in pixels."""

    receptive_field: ReceptiveField
    core: int

    def cut(self, size: Size) -> Iterator[Window]:
        """The windows of a picture of (height, width) pixels, row by row."""
        rows, columns = (spans(side, self.core, self.receptive_field.margin) for side in size)
        return (Window(row, column) for row in rows for column in columns)


@dataclass
class WindowPlanner:
    """Decides which pictures must be cut, and how; keeps what it measures of each layer.

    Attributes:
        layer_output: runs the net, at the precision that the ascent runs at.
        device: where the net runs.
        tile_size: the largest side that the net may be shown, in pixels; None for what fits
            into half of the device's memory.
    """

    layer_output: LayerOutput
    device: torch.device
    tile_size: int | None = None
    _fields: dict[str, ReceptiveField] = field(default_factory=dict, init=False)
    _bytes: dict[str, float] = field(default_factory=dict, init=False)

    def windows(self, layer: str, size: Size) -> Windows | None:
        """Decide how to cut a picture of (height, width) for a layer; None if it stays whole.

        Raises:
            UsageError: the tile size is smaller than the layer's receptive field.
            LucidError: the picture is too large, and the layer cannot be cut.
        """
        side = self._largest_side(layer, size)
        if max(size) <= side:
            return None
        if layer not in self._fields:
            self._fields[layer] = find_receptive_field(self.layer_output, layer, self.device)
        receptive_field = self._fields[layer]
        core = int(side - 2 * receptive_field.margin) // LATTICE * LATTICE
        if core > 0:
            return Windows(receptive_field, core)
        least = LATTICE + 2 * receptive_field.margin
        if self.tile_size is None:
            raise LucidError(
                f"layer {layer} needs to see {least} pixels a side at once, and {self.device} has "
                "no memory for that: try an earlier layer"
            )
        raise UsageError(f"layer {layer} needs a tile size of {least} or more")

    def _largest_side(self, layer: str, size: Size) -> float:
        if self.tile_size is not None:
            return self.tile_size
        if math.prod(size) <= MEMORY_SIDES[-1] ** 2:
            return math.inf
        if layer not in self._bytes:
            try:
                self._bytes[layer] = _bytes_per_pixel(self.layer_output, layer, self.device)
            except LucidError:
                # The net takes one size only. If that is not the picture's, the step says so.
                self._bytes[layer] = 0
        room = total_memory(self.device) / 2
        needed = SAFETY_FACTOR * self._bytes[layer]
        if needed * math.prod(size) <= room:
            return math.inf
        return math.sqrt(room / needed)


def find_receptive_field(
    layer_output: LayerOutput, layer: str, device: torch.device
) -> ReceptiveField:
    """Measure a layer's stride and receptive field by propagating a NaN patch.

    Every feature that sees a NaN becomes NaN, and no other does. (cuDNN's kernels, some of which
    mix neighbours for speed, are switched off.) Raises LucidError if every feature sees the whole
    picture, or features are not evenly spaced.
    """

    def nan_features(side: int, start: int) -> Tensor:
        """Which features, (rows, columns), see the patch that starts there."""
        picture = torch.full((1, 3, side, side), 0.5, device=device)
        patch = slice(start, start + LATTICE)
        picture[:, :, patch, patch] = math.nan
        features = layer_output(picture, layer)
        if features.ndim != 4:
            raise _cannot_be_cut(layer)
        return features[0].isnan().any(0)

    with torch.no_grad(), torch.backends.cudnn.flags(enabled=False):
        for side in PROBE_SIDES:
            middle = side // 2
            first, second = nan_features(side, middle - LATTICE), nan_features(side, middle)
            if not first.any() or first[0].any() or second[-1].any():
                continue
            more = nan_features(side + LATTICE, middle).shape[1] - first.shape[1]
            stride = LATTICE // more if more else 0
            if stride * more != LATTICE or not torch.equal(
                first.roll((more, more), (0, 1)), second
            ):
                break
            positions = first.nonzero() * stride
            before = middle - LATTICE - int(positions.min())
            after = int(positions.max()) - middle
            # A stride may step over the pixels at the patch's edge.
            margin = max(before, after) + 2 * stride
            return ReceptiveField(stride, math.ceil(margin / LATTICE) * LATTICE)
    raise _cannot_be_cut(layer)


def _cannot_be_cut(layer: str) -> LucidError:
    return LucidError(
        f"the picture is larger than a tile or the memory, and layer {layer} cannot be seen in "
        "parts, as its features do not lie over parts of the picture: try an earlier layer"
    )


def _bytes_per_pixel(layer_output: LayerOutput, layer: str, device: torch.device) -> float:
    """Bytes saved for the backward pass, as the difference that a picture's size makes."""

    def saved(side: int) -> int:
        picture = torch.full((1, 3, side, side), 0.5, device=device, requires_grad=True)
        return saved_activation_bytes(lambda: layer_output(picture, layer))

    small, large = MEMORY_SIDES
    return max(1.0, (saved(large) - saved(small)) / (large**2 - small**2))
