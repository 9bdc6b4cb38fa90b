"""How to climb: one good manner for each kind of net, presets, and files of one's own."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lucid.errors import LucidError, UsageError, nearest
from lucid.nets.net import Net
from lucid.resources import presets

TILE = 224
"""The side of a tile on a net that takes any: what most of ImageNet's are trained at."""

SETTLING = 0.5
"""Of a mix: with none, its last turns decide which class wins."""

GLANCES = 8
"""Of a mix, as it settles: with four, one or two mixes in twelve came out lopsided."""

CLOSING = 2
"""Of a mix: it takes time to settle."""

CANVASES = ("fourier", "pixels", "phase")
RULES = ("adam", "mean")
CARRIES = ("logits", "pixels")


@dataclass(frozen=True)
class OctaveConfig:
    """What to do at one octave.

    Attributes:
        iterations: passes over the picture.
        rate: of the rule, at the first pass and at the last.
        blur: after each pass, the deviation of a Gaussian in pixels; likewise.
        scale: how much larger than the octave before.
    """

    iterations: int
    rate: tuple[float, float]
    blur: tuple[float, float] = (0, 0)
    scale: float = 1.4

    def rate_at(self, number: int) -> float:
        """Of the pass with that number, from 0."""
        return _between(self.rate, number / self.iterations)

    def blur_at(self, number: int) -> float:
        """Of the pass with that number, from 0."""
        return _between(self.blur, number / self.iterations)


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share


@dataclass(frozen=True)
class DrawConfig:
    """How fast, how broadly and from how near to climb, and on what.

    Attributes:
        octaves: at how many sizes to climb; None for as many as lead up from the
            size that the net was trained at.
        octave_scale: how much larger each is than the one before.
        iterations: at each octave.
        opening: how many times as many at the first, where shapes are found.
        closing: how many times as many at the last, where what is seen is what stays.
        rate: of the rule.
        stages: the octaves one by one, in place of the six above.
        canvas: ``fourier``, ``pixels`` or ``phase`` (see ``lucid.core.canvas``).
        rule: ``adam``, or ``mean`` (see ``DeepDreamStep``), for pixels alone.
        decay: of ``FourierCanvas``.
        background: the grey that noise on ``pixels`` is strewn over, 0..1.
        turn: of ``draw_affine``, radians.
        scale: of ``draw_affine``.
        shift: of ``draw_affine``, a share of the side.
        pad: the width of ``Pad`` around what the net is shown, in pixels; 0 for none.
        jitter: how far the whole picture is rolled at random, in pixels.
        lift: of ``DeepDreamStep``.
        blur: after each pass, the deviation of a Gaussian in pixels.
        variation: of ``Step``.
        tiled_variation: the same where several tiles make a picture, if it is more.
        balance: of ``ClassLogits``, for a single class.
        mixing: the same for a mix, whose log-probabilities are among all classes: those
            within the mix alone would let a third class step in.
        order: of the tiles, if not the one asked for.
        settling: the share of the work, at its end, in which the rate falls to next to
            nothing, and the net sees each tile at several calm glances at once: what is
            then seen is what stays.
        pace: what the rate is multiplied with.
        glances: at each tile, a step; fewer where several tiles make a picture.
        afar: the share of steps that look from as far as ``draw_shrink`` may.
        carry: whether what an octave changed is added to the next octave's photograph
            between ``logits`` or between ``pixels``.
    """

    octaves: int | None = 4
    octave_scale: float = 1.4
    iterations: int = 48
    opening: int = 1
    closing: int = 1
    rate: float = 0.02
    stages: tuple[OctaveConfig, ...] = ()
    canvas: str = "fourier"
    rule: str = "adam"
    decay: float = 1.2
    background: float = 0.5
    turn: float = 0.3
    scale: tuple[float, float] = (0.7, 1.25)
    shift: float = 0.09
    pad: int = 0
    jitter: int = 0
    lift: tuple[float, ...] = ()
    blur: float = 0
    variation: float = 0
    tiled_variation: float = 0
    balance: float = 4
    mixing: float = 8
    order: str | None = None
    carry: str = "logits"
    settling: float = 0
    pace: float = 1
    glances: int = 1
    afar: float = 0

    def at(self, share: float) -> DrawConfig:
        """The manner as it has settled when a share of the work is done."""
        late = share - (1 - self.settling)
        if late <= 0 or not self.settling:
            return self
        return replace(
            self,
            pace=1 - 0.97 * late / self.settling,
            turn=self.turn / 6,
            scale=(0.775, 1.225),
            glances=GLANCES,
            afar=0.6,
        )

    def plain(self) -> dict[str, Any]:
        """All that is set, as numbers, words and lists: to be written down."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if value is not None and name != "stages"
        }

    def __post_init__(self) -> None:
        for name, known in (("canvas", CANVASES), ("rule", RULES), ("carry", CARRIES)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} {getattr(self, name)!r} is not {' or '.join(known)}")
        if self.rule == "mean" and self.canvas != "pixels":
            raise UsageError("the rule mean moves pixels: use it with the canvas pixels")
        if self.canvas == "phase" and (self.blur or any(any(s.blur) for s in self.stages)):
            raise UsageError("phases cannot be blurred: use the canvas fourier or pixels")


# Found by eye on SqueezeNet at 224 to 768 pixels. A photograph is half the way
# there, and at the pace of noise it drowns.
FROM_NOISE = DrawConfig()
ON_A_BASE = replace(FROM_NOISE, iterations=24, decay=1.1)

# Found by eye on lucid64: it paints whole things at its own size, then finishes them
# without losing sight of the whole. docs/lucid64.md says how. Larger pictures, whose tiles
# are never seen beside each other, would grow specks of static here and there.
SMALL_FROM_NOISE = DrawConfig(
    octaves=None,
    iterations=32,
    opening=3,
    rate=0.01,
    turn=0.15,
    scale=(0.85, 1.1),
    tiled_variation=0.05,
    balance=2,
    mixing=20,
)
SMALL_ON_A_BASE = replace(SMALL_FROM_NOISE, octaves=4, iterations=24, opening=1, decay=1.1)


def default_config(net: Net, *, on_a_base: bool) -> DrawConfig:
    """The one that suits a net; a net trained at less than ``TILE`` pixels is a small one."""
    if max(net.input_size) < TILE:
        return SMALL_ON_A_BASE if on_a_base else SMALL_FROM_NOISE
    return ON_A_BASE if on_a_base else FROM_NOISE


def on_canvas(style: DrawConfig, canvas: str) -> DrawConfig:
    """A manner of Fourier coefficients, as it suits another canvas. Found by eye."""
    if canvas == "pixels":
        return replace(style, canvas=canvas, rule="mean", rate=0.008, lift=(1, 2, 4))
    if canvas == "phase":
        return replace(style, canvas=canvas, rate=0.1)
    return replace(style, canvas=canvas)


def read_preset(name: str, start: DrawConfig) -> DrawConfig:
    """A preset by its name, or a TOML or JSON file of one's own.

    It holds attributes of ``DrawConfig``, and a table ``[[octaves]]`` for each stage, with
    deepdraw's words: ``iter_n``, ``scale``, ``start_sigma``, ``end_sigma``,
    ``start_step_size``, ``end_step_size`` (the rates, in units of 1/255 for the rule
    ``mean``).

    Args:
        name: of the preset or the file.
        start: what the file does not say.

    Raises:
        UsageError: there is no such preset or file.
        LucidError: it cannot be read, or holds what no manner has.
    """
    path = presets().get(name, Path(name))
    if path.suffix not in (".toml", ".json"):
        raise UsageError(
            f"there is no preset {name!r}: {', '.join(presets())}, or a .toml or .json file"
        )
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise LucidError(f"{path}: is not {path.suffix[1:].upper()} ({error})") from error
    if not isinstance(content, dict):
        raise LucidError(f"{path}: holds no table of settings")
    settings = {key: _typed(path, key, value) for key, value in content.items() if key != "octaves"}
    octaves = content.get("octaves", start.octaves)
    try:
        start = replace(start, **settings)
        if isinstance(octaves, list):
            return replace(start, stages=tuple(_stage(path, item, start) for item in octaves))
        return replace(start, octaves=_typed(path, "octaves", octaves))
    except UsageError as error:
        raise LucidError(f"{path}: {error}") from error


_COUNTS = {"octaves", "iterations", "opening", "closing", "pad", "jitter"}
_NUMBERS = {"octave_scale", "rate", "decay", "background", "turn", "shift", "blur"}
_NUMBERS |= {"variation", "tiled_variation", "balance", "mixing", "settling"}
_WORDS = {"canvas", "rule", "order", "carry"}
_KNOWN = _COUNTS | _NUMBERS | _WORDS | {"scale", "lift"}


def _typed(where: Path | str, key: str, value: Any) -> Any:
    """The value of an attribute of ``DrawConfig``, if it can be one."""
    if key in _COUNTS and type(value) is int and 0 <= value < 2**31:
        return value
    if key in _NUMBERS and _is_number(value):
        return value
    if key == "scale" and _are_numbers(value) and len(value) == 2 and min(value) > 0:
        return tuple(value)
    if key == "lift" and _are_numbers(value) and all(value):
        return tuple(value)
    if key in _WORDS and isinstance(value, str):
        return value
    if key in _KNOWN:
        raise LucidError(f"{where}: {key} = {value!r} is not what a {key} can be")
    raise LucidError(f"{where}: no manner has {key!r}{nearest(key, sorted(_KNOWN))}")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= float(str(value)) < 1e6


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _stage(path: Path, octave: object, manner: DrawConfig) -> OctaveConfig:
    """A stage in deepdraw's words."""
    if not isinstance(octave, dict):
        raise LucidError(f"{path}: an octave is a table, not {octave!r}")
    words = ("iter_n", "scale", "start_sigma", "end_sigma", "start_step_size", "end_step_size")
    for key, value in octave.items():
        if key not in words:
            raise LucidError(f"{path}: no octave has {key!r}{nearest(key, words)}")
        if not _is_number(value):
            raise LucidError(f"{path}: {key} = {value!r} is not a number from 0")
    passes = octave.get("iter_n", manner.iterations)
    if type(passes) is not int or passes < 1:
        raise LucidError(f"{path}: iter_n = {passes!r} is not a count")
    scale = octave.get("scale", 1)
    if not 0.1 <= scale <= 10:
        raise LucidError(f"{path}: scale = {scale!r} is not from 0.1 to 10")
    unit = 1 / 255 if manner.rule == "mean" else 1
    rate: float = octave.get("start_step_size", manner.rate / unit) * unit
    sigma: float = octave.get("start_sigma", manner.blur)
    return OctaveConfig(
        iterations=passes,
        rate=(rate, octave.get("end_step_size", rate / unit) * unit),
        blur=(sigma, octave.get("end_sigma", sigma)),
        scale=scale,
    )
