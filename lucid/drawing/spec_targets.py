"""The targets that are meant by classes and layers, and by regions, as they are typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lucid.core.objectives import Channel, LayerL2, Objective
from lucid.drawing.config import TILE, DrawConfig
from lucid.drawing.specs import ClassSpec, LayerSpec
from lucid.drawing.targets import Target, check_channel, classes
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.imaging.filters import luma
from lucid.imaging.io import read_image
from lucid.imaging.recipe_masks import HELD
from lucid.nets.net import Net
from lucid.tiling.regions import MaskRegion, PathRegion, Region, read_path

MaskReader = Callable[[str], Tensor]
"""From a mask's name to the mask, (height, width), 0..1."""


def read_mask(name: str) -> Tensor:
    """Read a mask from a file: the brightness of an image, (height, width), 0..1."""
    return luma(read_image(Path(name)))[0]


@dataclass(frozen=True)
class RegionReader:
    """Reads regions of one picture.

    Attributes:
        size: (height, width) of the picture, if that is known yet.
        brush: diameter of the brush in pixels, where none is typed; None for that of a tile.
        default: where what has no region is painted; None for everywhere.
        read: reads masks by their names.
    """

    size: Size | None = None
    brush: float | None = None
    default: Region | None = None
    read: MaskReader = read_mask

    def parse(self, text: str | None) -> Region | None:
        """Read X,Y or X,Y,DIAMETER or the name of a mask; None for the default.

        Raises:
            UsageError: the text is none of these.
        """
        if not text:
            return self.default
        try:
            numbers = [float(number) for number in text.split(",")]
        except ValueError:
            if Path(text).suffix or text.startswith(HELD):
                return MaskRegion(self.read(text))
            raise UsageError(
                f"region {text!r} is neither X,Y nor X,Y,DIAMETER nor an image file"
            ) from None
        if len(numbers) not in (2, 3) or not all(0 <= number <= 1 for number in numbers[:2]):
            raise UsageError(f"region {text!r}: X and Y must be from 0 to 1")
        point = f"{numbers[0]},{numbers[1]}"
        return brush_region(point, self.size, numbers[2] if len(numbers) == 3 else self.brush)


def class_targets(
    net: Net, specs: Sequence[ClassSpec], config: DrawConfig, regions: RegionReader
) -> list[Target]:
    """Build a target of the classes of each region.

    Args:
        net: the net that paints.
        specs: the classes.
        config: hyperparameters, which hold weights of class objectives.
        regions: reads where classes are painted.

    Raises:
        UsageError: the net lacks a class, or a region makes no sense.
    """
    mixes: dict[str | None, dict[str, float]] = {}
    for each in specs:
        weights = mixes.setdefault(each.region, {})
        weights[each.name] = weights.get(each.name, 0.0) + each.weight
    return [
        Target(classes(net, mix, config), regions.parse(region)) for region, mix in mixes.items()
    ]


def layer_targets(net: Net, specs: Sequence[LayerSpec], regions: RegionReader) -> list[Target]:
    """Build targets of layers, as ``class_targets`` does of classes.

    Where a weight is given, the layers of one region are one sum: of several targets, each would
    count as one.
    """
    groups: dict[str | None, list[LayerSpec]] = {}
    for each in specs:
        groups.setdefault(each.region, []).append(each)
    targets = []
    for text, group in groups.items():
        objectives = [layer_objective(net, each) for each in group]
        if any(each.weight != 1 for each in group):
            objectives = [sum(objectives[1:], objectives[0])]
        targets += [Target(objective, regions.parse(text)) for objective in objectives]
    return targets


def layer_objective(net: Net, layer: LayerSpec) -> Objective:
    """Build the objective that excites a layer, channels of it or a neuron, by its weight."""
    name = net.resolve_layer(layer.name)
    parts: list[Objective] = [Channel(name, each, layer.neuron) for each in layer.channels]
    for each in layer.channels:
        check_channel(net, layer.name, each)
    objective = sum(parts[1:], parts[0]) if parts else LayerL2(name)
    return objective if layer.weight == 1 else layer.weight * objective


def brush_region(path: str, size: Size | None, diameter: float | None) -> Region:
    """Build the region that a round brush covers along a path; its diameter is in pixels."""
    shorter = min(size or (TILE, TILE))
    if diameter is None:
        diameter = min(TILE, shorter)
    if not 8 <= diameter <= 100_000:
        raise UsageError(f"a brush of {diameter:g} pixels: must be 8 to 100000")
    return PathRegion(read_path(path), diameter / shorter)
