"""The keyword options of ``draw``, ``grow``, ``film`` and whatever else paints: one list."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Protocol, TypedDict, cast

import torch
from torch import Generator, Tensor

from lucid.core.canvas import Canvas
from lucid.core.device import Runtime, RuntimeOptions, resolve_runtime
from lucid.core.optimizers import Optimizer
from lucid.core.transforms import Transform
from lucid.drawing.config import DrawConfig
from lucid.drawing.edits import TimedEdits
from lucid.errors import UsageError, nearest
from lucid.imaging import Size
from lucid.imaging.fit import FITS
from lucid.imaging.io import Picture
from lucid.tiling.tiles import Order


class CanvasFactory(Protocol):
    """Makes the canvas of an octave; a class whose ``__init__`` takes these is one."""

    def __call__(
        self, size: Size, start: Tensor | None, generator: Generator, device: torch.device
    ) -> Canvas:
        """Make a canvas.

        Args:
            size: (height, width) of the picture, in pixels.
            start: the picture to start from, (3, *size), RGB, 0..1; None for noise.
            generator: of the random numbers.
            device: where the parameter is to be.
        """


class DrawOptions(TypedDict, total=False):
    """Keyword options of a drawing; what is left out has its default.

    Attributes:
        size: (height, width) of the picture, in pixels, or the side of a square. Default: the
            base's, else one tile.
        config: hyperparameters. Default: what suits the net and the base
            (``lucid.drawing.config.default_config``).
        order: in which tiles are optimized: ``spiral`` (ring by ring from the centre, each ring
            shown what the last one changed), ``grid``, ``random``, ``none`` (the whole picture at
            once) or ``fixed`` (deepdraw's first form, to compare with); or a function of your own,
            like those in ``lucid.tiling.tiles.ORDERS``. Default: ``spiral``.
        canvas: how the picture is parameterized: ``fourier``, ``pixels``, ``phase`` or ``cppn``, or
            a class or function of your own (see ``CanvasFactory``). Default: the config's.
        optimizer: ``adam`` or ``deepdream``; a class of ``torch.optim``, or a ``functools.partial``
            of one (``torch.optim.LBFGS``); or a class or function of your own that takes the lr and
            returns an ``Optimizer``. Default: the config's.
        transforms: functions of your own, from images (n, 3, height, width), 0..1, to images of
            that shape, applied to what the net is shown besides the config's. Default: none.
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
        variety: contrast of the broad random shapes that a picture from noise starts with, 0 to
            10. Default: the config's.
        weight_decay: how fast what is painted fades to grey (see ``DrawConfig``), 0 to 100.
            Default: the config's.
        laplacian: levels of a Laplacian pyramid by which the gradient is normalised, 0 to 16.
            Default: the config's.
        flip: whether half of what the net is shown is mirrored. Default: the config's.
        mask: the picture changes only where this is bright: a picture or its file,
            (height, width), 0..1, or ``top``, ``bottom``, ``left``, ``right``, ``center`` or
            ``sky``, which is looked for in the base. Default: all of it changes.
        fit: how a base of another shape is brought to ``size``: ``crop`` cuts its borders off,
            ``pad`` mirrors them, ``inside`` makes the picture smaller, ``stretch`` changes its
            shape. A mask of the base's size goes with it; one of another size must have the
            picture's shape, or is stretched too. Default: ``crop``.
        keep_colors: whether the base keeps its colours, and only brightness is painted. Default:
            False.
        alpha: whether the picture is transparent where what was painted matters little. Default:
            False.
        at: what changes under way (see ``Edit``), each by the number of whole passes before, or by
            a pair of passes and rings of the next: ``{40: {"targets": "monarch"}}``. Default:
            nothing.
        seed: of the random numbers, 0 or more. Default: 0.
        runtime: device, precision, batch size. Default: ``Runtime()``.
    """

    size: Size | int | None
    config: DrawConfig | None
    order: str | Order
    canvas: str | CanvasFactory | None
    optimizer: str | Callable[[float], Optimizer] | None
    transforms: Sequence[Transform]
    subject: float | str | None
    tile_size: int | None
    overlap: float
    padding: str
    octave_count: int | None
    octave_scale: float | None
    iterations: int | None
    strength: float
    variety: float | None
    weight_decay: float | None
    laplacian: int | None
    flip: bool | None
    mask: Picture | None
    fit: str
    keep_colors: bool
    alpha: bool
    at: TimedEdits | None
    seed: int
    runtime: Runtime | None


DEFAULT_OPTIONS: DrawOptions = {
    "size": None,
    "config": None,
    "order": "spiral",
    "canvas": None,
    "optimizer": None,
    "transforms": (),
    "subject": None,
    "tile_size": None,
    "overlap": 0.5,
    "padding": "reflect",
    "octave_count": None,
    "octave_scale": None,
    "iterations": None,
    "strength": 1,
    "variety": None,
    "weight_decay": None,
    "laplacian": None,
    "flip": None,
    "mask": None,
    "fit": "crop",
    "keep_colors": False,
    "alpha": False,
    "at": None,
    "seed": 0,
    "runtime": None,
}


class UnknownOptionError(UsageError, TypeError):
    """There is no option of that name; also a TypeError, which Python raises for a keyword."""


def complete_options(options: DrawOptions) -> DrawOptions:
    """Options with defaults filled in, and version 0.1's keywords as they are called now.

    Raises:
        UsageError: there is no such option, or a value is of a type that the option cannot have.
    """
    given: dict[str, Any] = dict(options)
    if "manner" in given:
        given["config"] = given.pop("manner")
    legacy: RuntimeOptions = {}
    for name in ("device", "precision", "batch", "deterministic"):
        if name in given:
            legacy[name] = given.pop(name)
    if legacy:
        given["runtime"] = resolve_runtime(given.get("runtime"), legacy)
    for name, value in given.items():
        if isinstance(value, Integral) and not isinstance(value, bool):
            given[name] = value = int(value)  # NumPy's, too  # noqa: PLW2901
        if name not in DEFAULT_OPTIONS:
            near = nearest(name, [*DEFAULT_OPTIONS])
            raise UnknownOptionError(f"there is no option {name!r}{near}")
        default: object = DEFAULT_OPTIONS[name]  # type: ignore[literal-required]
        wanted, fits = WANTED.get(name, ("", _anything))
        if value is not default and not fits(value):
            raise UsageError(f"{name}={value!r} must be {wanted}")
        least, most = RANGES.get(name, (-math.inf, math.inf))
        if _is_number(value) and not least <= value <= most:
            raise UsageError(f"{name}={value!r} must be from {least} to {most}")
    if isinstance(given.get("size"), int):
        given["size"] = (given["size"], given["size"])
    return cast(DrawOptions, {**DEFAULT_OPTIONS, **given})


def _anything(value: object) -> bool:
    return True


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, float)


def _is_size(value: object) -> bool:
    pair = isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_whole, value))
    return pair or _is_whole(value)


RANGES = {
    "seed": (0, 2**63 - 1),
    "variety": (0, 10),
    "weight_decay": (0, 100),
    "laplacian": (0, 16),
}
"""The least and largest values, of options whose range nothing else checks."""

WANTED: dict[str, tuple[str, Callable[[object], bool]]] = {
    "size": ("(height, width) in pixels, or the side of a square", _is_size),
    "config": ("a DrawConfig", lambda value: isinstance(value, DrawConfig)),
    "runtime": ("a lucid.Runtime", lambda value: isinstance(value, Runtime)),
    "fit": (" or ".join(FITS), lambda value: value in FITS),
    **dict.fromkeys(
        ("keep_colors", "flip", "alpha"), ("True or False", lambda value: isinstance(value, bool))
    ),
    "transforms": (
        "a list of functions of images",
        lambda value: isinstance(value, tuple | list) and all(map(callable, value)),
    ),
    **dict.fromkeys(
        ("tile_size", "octave_count", "iterations", "seed", "laplacian"),
        ("a whole number", _is_whole),
    ),
    **dict.fromkeys(
        ("overlap", "octave_scale", "strength", "variety", "weight_decay"),
        ("a number", _is_number),
    ),
    **dict.fromkeys(
        ("order", "canvas", "optimizer"),
        ("a name or a function", lambda value: isinstance(value, str) or callable(value)),
    ),
}
"""What options must be, where that is checked before anything else, and whether a value is that."""
