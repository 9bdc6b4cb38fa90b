"""How large one thing is in a picture: the size at which to compose, and the octaves of detail.

A net recognises whole things at about the size of a tile. In a larger picture, each tile becomes a
thing of its own. So a picture of one large thing is composed small, where the thing fills a tile,
and then enlarged. After each enlargement only detail is painted that was too fine for the smaller
picture: the contrast of what early layers see, which know edges and textures but no things.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from lucid.core.objectives import LayerContrast, Objective, Sum
from lucid.drawing.config import DrawConfig, OctaveConfig
from lucid.drawing.options import DrawOptions
from lucid.drawing.targets import Target
from lucid.errors import UsageError
from lucid.imaging import Size
from lucid.nets.net import LOGITS, Net
from lucid.tiling.tiles import Tiling

LARGEST_DEFAULT = 512
"""Side in pixels of the largest thing that is painted from noise without being asked for."""

LARGEST_SHARE = 100
DETAIL_TILE, DETAIL_OVERLAP = 448, 0.25
"""Side in pixels and overlap of tiles where only detail is painted, which early layers see."""

DETAIL_STRIDES = (2.5, 4.5)
"""Of the layers whose contrast is strengthened: each is the last with at most this stride, in
pixels."""


def choose_subject(
    net: Net,
    targets: Sequence[Target],
    base: Tensor | None,
    config: DrawConfig,
    size: Size,
    tile: Size,
    settings: DrawOptions,
) -> float:
    """The side of one thing in pixels: the one asked for, or what suits the targets."""
    subject = settings["subject"]
    if subject is None:
        usual = (
            base is None
            and settings["tile_size"] is None
            and settings["order"] not in ("none", "fixed")
            and config.order is None
            and not config.octave_configs
            and config.canvas != "phase"
            and all(LOGITS in each.objective.layers and each.region is None for each in targets)
        )
        if not usual or detail_objective(net) is None:
            return min(tile)
        return min(LARGEST_DEFAULT, *size)
    if subject == "tile":
        return min(tile)
    side = subject_side(subject, size)
    if abs(side - min(tile)) < 0.5:  # as a recipe rounds it
        return min(tile)
    if side > min(tile) and detail_objective(net) is None:
        raise UsageError(
            f"{net.name} has no early layer to paint detail with: use --subject {min(tile)}px"
        )
    if side < min(tile) and not net.any_size:
        raise UsageError(f"{net.name} sees only {tile[1]}x{tile[0]} pixels: use that or more")
    return side


def subject_side(subject: float | str, size: Size) -> float:
    """The side of one thing in pixels, in a picture of (height, width).

    Args:
        subject: a share of the shorter side, above 0, as a number or its text; or pixels, such as
            ``"224px"``.
        size: height and width of the picture.

    Raises:
        UsageError: it is neither.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(px|%)?\s*", str(subject))
    number, unit = (float(match[1]), match[2]) if match else (0.0, None)
    share = number / {"px": min(size), "%": 100, None: 1}[unit]
    if not 0 < share <= LARGEST_SHARE:
        raise UsageError(
            f"subject {subject!r} is no share of the picture's shorter side, such as .5, and no "
            "number of pixels, such as 224px, and not tile"
        )
    return share * min(size)


def composition_size(size: Size, side: float, tile: Size) -> Size:
    """The size at which a thing of ``side`` pixels in a picture of (height, width) fills a tile."""
    factor = min(1.0, min(tile) / side)
    height, width = (max(1, round(length * factor)) for length in size)
    return height, width


def detail_octaves(
    composition: Size, size: Size, config: DrawConfig, iterations: int | None
) -> list[tuple[Size, OctaveConfig]]:
    """The octaves that enlarge a composition to the picture's size, each at most twice as large."""
    count = math.ceil(math.log2(max(size[0] / composition[0], size[1] / composition[1])) - 1e-6)
    octave = OctaveConfig(
        iterations=min(config.detail_iterations, iterations or config.detail_iterations),
        lr=(config.detail_lr, 0.1 * config.detail_lr),
        detail=True,
    )
    octaves = []
    for number in range(1, count + 1):
        height, width = (
            round(small * (large / small) ** (number / count))
            for small, large in zip(composition, size, strict=True)
        )
        octaves.append(((height, width), octave))
    return octaves


def detail_tiling(tiling: Tiling, net: Net, octave: Size) -> Tiling:
    """The larger tiles of an octave that only adds detail, where the net sees any size."""
    if not net.any_size:
        return tiling
    height, width = (max(8, min(DETAIL_TILE, length)) for length in octave)
    return replace(tiling, tile=(height, width), overlap=DETAIL_OVERLAP)


def detail_objective(net: Net) -> Objective | None:
    """The contrast of a net's early layers; None if no early layer has features for each place."""
    found: dict[str, Objective] = {}
    for most in DETAIL_STRIDES:
        early = [
            name
            for name, _, shape in net.describe()
            if len(shape) == 3 and shape[-1] > 1 and net.input_size[1] / shape[-1] <= most
        ]
        if early:
            found[early[-1]] = LayerContrast(early[-1])
    return Sum(tuple((1, part) for part in found.values())) if found else None
