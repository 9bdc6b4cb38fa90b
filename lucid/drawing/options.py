"""The keyword options of ``draw``, ``grow``, ``film`` and whatever else paints: one list."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

from lucid.core.device import Runtime
from lucid.drawing.config import DrawConfig
from lucid.imaging import Size


class DrawOptions(TypedDict, total=False):
    """Keyword options of a drawing; what is left out has its default.

    Attributes:
        size: (height, width) of the picture, in pixels. Default: the base's, else one tile.
        config: hyperparameters. Default: what suits the net and the base
            (``lucid.drawing.config.default_config``).
        order: in which tiles are optimized: ``spiral`` (ring by ring from the centre, each ring
            shown what the last one changed), ``grid``, ``random``, ``none`` (the whole picture at
            once) or ``fixed`` (deepdraw's first form, to compare with). Default: ``spiral``.
        subject: the side of one thing: a share of the picture's shorter side, above 0; pixels,
            such as ``"224px"``; or ``"tile"``, the side of a tile. A thing larger than a tile is
            composed at a smaller size, which is then enlarged, and its detail is painted. Default:
            for classes from noise, the shorter side, up to 512 pixels; otherwise a tile.
        tile_size: the tiles' side, in pixels. Default: 224, or what the net is built for.
        overlap: of neighbouring tiles, as a fraction of a tile, 0 to under 1. Default: 0.5.
        padding: beyond the picture's border: ``reflect``, ``wrap`` (makes a seamless texture) or
            ``mean`` (deepdraw's, to compare with). Default: ``reflect``.
        octave_count: at how many sizes to paint. None is smaller than the net was trained at, or
            than two thirds of a picture that is hardly larger. Default: the config's.
        octave_scale: how much larger each octave is than the one before, 1 to 10. Default: the
            config's.
        iterations: passes over the picture at each octave. Default: the config's.
        strength: factor of the config's lr, 0 (no change) to 100. Default: 1.
        variety: contrast of the broad random shapes that a picture from noise starts with, 0 or
            more. Default: the config's.
        mask: (height, width), 0..1: the picture changes only where this is bright. Default: all
            of it changes.
        keep_colors: whether the base keeps its colours, and only brightness is painted. Default:
            False.
        seed: of the random numbers, 0 or more. Default: 0.
        runtime: device, precision, batch size. Default: ``Runtime()``.
    """

    size: Size | None
    config: DrawConfig | None
    order: str
    subject: float | str | None
    tile_size: int | None
    overlap: float
    padding: str
    octave_count: int | None
    octave_scale: float | None
    iterations: int | None
    strength: float
    variety: float | None
    mask: Tensor | None
    keep_colors: bool
    seed: int
    runtime: Runtime | None


DEFAULT_OPTIONS: DrawOptions = {
    "size": None,
    "config": None,
    "order": "spiral",
    "subject": None,
    "tile_size": None,
    "overlap": 0.5,
    "padding": "reflect",
    "octave_count": None,
    "octave_scale": None,
    "iterations": None,
    "strength": 1,
    "variety": None,
    "mask": None,
    "keep_colors": False,
    "seed": 0,
    "runtime": None,
}
