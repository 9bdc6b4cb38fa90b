"""Read hyperparameters from presets and from TOML or JSON files."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from lucid.drawing.config import DrawConfig, OctaveConfig
from lucid.errors import LARGEST, LucidError, UsageError, nearest
from lucid.reading import parse_json, parse_table, read_text
from lucid.resources import presets

log = logging.getLogger("lucid")

MAX_BLUR = 100
"""The largest standard deviation of a blur, in pixels."""

RENAMED = {
    "balance": "log_prob_weight",
    "carry": "detail_space",
    "closing": "last_octave_factor",
    "decay": "decay_power",
    "lift": "blur_sigmas",
    "mixing": "mix_log_prob_weight",
    "opening": "first_octave_factor",
    "rate": "lr",
    "rule": "optimizer",
    "settling": "cooldown",
    "tiled_variation": "tiled_tv_weight",
    "turn": "max_angle",
    "variation": "tv_weight",
}
"""Keys of version 0.1, and what they are called now."""

_COUNTS = {"octaves", "iterations", "first_octave_factor", "last_octave_factor", "jitter"}
_COUNTS |= {"laplacian"}
_COUNTS |= {"detail_iterations", "mix_last_octave_factor"}
_NUMBERS = {"octave_scale", "lr", "decay_power", "background", "max_angle", "shift", "blur"}
_NUMBERS |= {"tv_weight", "tiled_tv_weight", "log_prob_weight", "mix_log_prob_weight", "cooldown"}
_NUMBERS |= {"detail_lr", "detail_decay_power", "detail_tv_weight", "variety", "mix_cooldown"}
_NUMBERS |= {"tint", "noise", "weight_decay"}
_FROM_ZERO = {"jitter", "laplacian"}
_WORDS = {"canvas", "optimizer", "order", "detail_space"}
_KEYS = _COUNTS | _NUMBERS | _WORDS | {"scale", "blur_sigmas", "flip"}
_OCTAVE_KEYS = (
    *("iter_n", "scale", "start_sigma", "end_sigma"),
    *("start_step_size", "end_step_size", "layer", "window"),
)


def read_preset(name: str, start: DrawConfig) -> DrawConfig:
    """Read a preset, or a TOML or JSON file.

    The file holds attributes of ``DrawConfig``, and a table ``[[octaves]]`` for each octave with
    deepdraw's keys: ``iter_n``, ``scale``, ``start_sigma``, ``end_sigma``, ``start_step_size``,
    ``end_step_size`` (in units of 1/255 for the optimizer ``deepdream``) and ``layer``, the
    classifier that classes climb. ``window``, where deepdraw's random crops lie, has no effect: a
    pass covers the whole picture. A JSON file may be such a list of octaves alone, as deepdraw's
    own programs have them; the rest is then the preset ``deepdraw``.

    Args:
        name: of a preset, or a path that ends in .toml or .json.
        start: values of what the file leaves out.

    Raises:
        UsageError: there is no such preset or file.
        LucidError: the file cannot be read, or holds unknown keys or impossible values.
    """
    path = presets().get(name, Path(name))
    if path.suffix not in (".toml", ".json"):
        raise UsageError(
            f"there is no preset {name!r}: {', '.join(presets())}, or a .toml or .json file"
        )
    content: dict[str, Any]
    if path.suffix == ".json" and isinstance(listed := parse_json(read_text(path), path), list):
        start, content = read_preset("deepdraw", start), {"octaves": listed}
    else:
        content = parse_table(read_text(path), path, as_json=path.suffix == ".json")
    octaves = content.pop("octaves", start.octaves)  # None for as many as suit the net
    if content.pop("pad", 0):
        log.warning("%s: pad is no longer supported, and left out", path)
    settings = {}
    for key, value in content.items():
        key = RENAMED.get(key, key)  # noqa: PLW2901
        settings[key] = _checked(path, key, value)
    try:
        start = replace(start, **settings)
        if isinstance(octaves, list):
            configs = tuple(_octave(path, item, start) for item in octaves)
            return replace(start, octave_configs=configs)
        count = None if octaves is None else _checked(path, "octaves", octaves)
        return replace(start, octaves=count)
    except UsageError as error:
        raise LucidError(f"{path}: {error}") from error


def _checked(path: Path, key: str, value: Any) -> Any:
    """The value of an attribute of ``DrawConfig``, if it can be one."""
    if key in _COUNTS and type(value) is int and (key not in _FROM_ZERO) <= value < 2**31:
        return value
    if key in _NUMBERS and _is_number(value, MAX_BLUR if key == "blur" else LARGEST):
        return value
    if key == "scale" and _are_numbers(value) and len(value) == 2 and 0.01 <= min(value) <= 100:
        return tuple(value)
    if key == "blur_sigmas" and _are_numbers(value, MAX_BLUR) and all(value):
        return tuple(value)
    if key == "optimizer" and value == "mean":  # its name in version 0.1
        return "deepdream"
    if (key in _WORDS and isinstance(value, str)) or (key == "flip" and isinstance(value, bool)):
        return value
    if key in _KEYS:
        raise LucidError(f"{path}: {key} = {value!r} is not a possible value of {key}")
    raise LucidError(f"{path}: there is no setting {key!r}{nearest(key, sorted(_KEYS))}")


def _is_number(value: object, largest: float = LARGEST) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= largest


def _are_numbers(value: object, largest: float = LARGEST) -> bool:
    return isinstance(value, list) and all(_is_number(each, largest) for each in value)


def _octave(path: Path, octave: object, config: DrawConfig) -> OctaveConfig:
    """An octave in deepdraw's keys."""
    if not isinstance(octave, dict):
        raise LucidError(f"{path}: an octave is a table, not {octave!r}")
    for key, value in octave.items():
        if key not in _OCTAVE_KEYS:
            raise LucidError(f"{path}: no octave has {key!r}{nearest(key, _OCTAVE_KEYS)}")
        if key == "layer":
            if not isinstance(value, str) or not value:
                raise LucidError(f"{path}: layer = {value!r} is not the name of a classifier")
            continue
        largest = MAX_BLUR if key.endswith("sigma") else LARGEST
        if not _is_number(value, largest):
            raise LucidError(f"{path}: {key} = {value!r} is not a number from 0 to {largest:.0f}")
    passes = octave.get("iter_n", config.iterations)
    if type(passes) is not int or not 1 <= passes < 2**31:
        raise LucidError(f"{path}: iter_n = {passes!r} is not a count")
    scale = octave.get("scale", 1)
    if not 0.1 <= scale <= 10:
        raise LucidError(f"{path}: scale = {scale!r} is not from 0.1 to 10")
    unit = 1 / 255 if config.optimizer == "deepdream" else 1
    lr: float = octave.get("start_step_size", config.lr / unit) * unit
    sigma: float = octave.get("start_sigma", config.blur)
    return OctaveConfig(
        iterations=passes,
        lr=(lr, octave.get("end_step_size", lr / unit) * unit),
        blur=(sigma, octave.get("end_sigma", sigma)),
        scale=scale,
        layer=octave.get("layer"),
    )
