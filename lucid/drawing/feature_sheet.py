"""Sheets of small pictures, one for each channel of a layer or for each class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image

from lucid.core.ascent import Ascent
from lucid.core.device import Runtime
from lucid.core.objectives import Channel
from lucid.drawing.loop import draw
from lucid.drawing.measurements import inactive
from lucid.drawing.options import DrawOptions
from lucid.drawing.targets import Targets, check_channel
from lucid.errors import LucidError, UsageError
from lucid.imaging import recipes
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil
from lucid.nets.net import Net

LAYER_SIDE, CLASS_SIDE = 128, 224
"""Sides of the pictures of a sheet, in pixels: of features, and of classes, which are larger."""

QUICK: DrawOptions = {"octave_count": 2, "iterations": 48}
"""Enough for one feature at that size; found by eye on three layers of SqueezeNet."""


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        label: what stands under it.
        target: what is drawn.
        path: the file of the picture.
    """

    label: str
    target: Targets
    path: Path


def channel_cells(net: Net, layer: str, channels: Sequence[int], folder: Path) -> list[Cell]:
    """Plan a cell for each of some channels of a layer.

    Raises:
        UsageError: the net has no such layer, or the layer no such channel.
    """
    for channel in channels:
        check_channel(net, layer, channel)
    name = net.resolve_layer(layer)
    return [
        Cell(f"{layer}:{number}", Channel(name, number), folder / f"channel_{number:05d}.png")
        for number in channels
    ]


def class_cells(net: Net, numbers: Sequence[int], folder: Path) -> list[Cell]:
    """Plan a cell for each of some classes."""
    return [
        Cell(f"{net.classes[number]} ({number})", number, folder / f"class_{number:05d}.png")
        for number in numbers
    ]


def check_kept(net: Net, cell: Cell, side: int, seed: int, iterations: int | None) -> None:
    """Refuse a file that another sheet left where a cell belongs.

    Raises:
        UsageError: its recipe has another net, layer, class, size, seed or number of passes.
    """
    if not cell.path.exists():
        return
    try:
        recipe = recipes.read(cell.path)
    except LucidError:  # made without a recipe
        return
    channel = cell.target if isinstance(cell.target, Channel) else None
    expected = {
        "net": net.name,
        "size": f"{side}x{side}",
        "seed": seed,
        "layer": [f"{channel.layer}:{channel.channel}"] if channel else None,
        "class": None if channel else [str(cell.target)],
    }
    if iterations is not None:
        expected["iters"] = iterations
    for name, value in expected.items():
        if recipe.options.get(name) != value:
            raise UsageError(
                f"{cell.path}: was made with other settings ({name}): give the same, --force, or "
                "another -o"
            )
    if recipe.made.get("weights", net.fingerprint) != net.fingerprint:
        raise UsageError(f"{cell.path}: was made with other weights: give --force, or another -o")


def draw_cells(
    net: Net, cells: Sequence[Cell], options: DrawOptions, *, recipe: bool = True
) -> Iterator[Image.Image]:
    """Draw the cells that have no file yet, and keep each as it is finished.

    Args:
        net: the net.
        cells: what to draw. All small pictures are of one size if the options say so.
        options: of every drawing, with a size.
        recipe: whether each file holds its recipe.

    Yields:
        Each picture, in order.
    """
    for cell in cells:
        if cell.path.exists():
            with Image.open(cell.path) as image:
                yield image.convert("RGB")
            continue
        if isinstance(cell.target, Channel):
            picture = draw_channel(net, cell.target.layer, cell.target.channel, options)
        else:
            picture = draw(net, cell.target, **options)
        if not recipe:
            picture.info.pop(recipes.INFO, None)
        recipes.save(picture, cell.path)
        yield picture


def draw_channel(net: Net, layer: str, channel: int, options: DrawOptions) -> Image.Image:
    """Draw a channel small, in a few passes; the options have a size, (height, width)."""
    side = min(cast(tuple[int, int], options["size"]))
    # The net sees the small picture as it is, and not in its reflections.
    own: DrawOptions = {**QUICK, **options, "tile_size": side if net.any_size else None}
    return draw(net, Channel(layer, channel), **own)


def feature_sheet(
    net: Net,
    cells: Sequence[Cell],
    *,
    side: int,
    columns: int | None = None,
    recipe: bool = True,
    seed: int = 0,
    iterations: int | None = None,
    runtime: Runtime | None = None,
    watch: Callable[[str, Image.Image], object] | None = None,
) -> Image.Image:
    """Draw cells, and arrange them on a sheet with captions; dead channels are marked.

    Args:
        net: the net.
        cells: as ``channel_cells`` and ``class_cells`` plan them. Files that exist are kept.
        side: of each picture, in pixels.
        columns: pictures in a row; None for about as many as there are rows.
        recipe: whether each picture holds its recipe.
        seed: of every picture.
        iterations: passes at each octave; None for what is usual.
        runtime: where and how to run the net.
        watch: called with the label and the picture of each cell after it is drawn.
    """
    options: DrawOptions = {"size": (side, side), "seed": seed, "runtime": runtime}
    if iterations is not None:
        options["iterations"] = iterations
    ascent = Ascent(net, runtime)
    pictures, labels = [], []
    for cell, picture in zip(cells, draw_cells(net, cells, options, recipe=recipe), strict=True):
        channels = [cell.target] if isinstance(cell.target, Channel) else []
        dead = channels and inactive(ascent, net, channels, from_pil(picture))
        pictures.append(picture.resize((side, side)))
        labels.append(f"{cell.label} (dead)" if dead else cell.label)
        if watch:
            watch(labels[-1], pictures[-1])
    return contact_sheet(pictures, columns=columns, labels=labels)
