"""Read hyperparameters from presets and from TOML or JSON files."""

from __future__ import annotations

import json
import logging
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from lucid.drawing.config import DrawConfig, OctaveConfig
from lucid.errors import LucidError, UsageError, nearest
from lucid.resources import presets

log = logging.getLogger("lucid")

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
_COUNTS |= {"detail_iterations", "mix_last_octave_factor"}
_NUMBERS = {"octave_scale", "lr", "decay_power", "background", "max_angle", "shift", "blur"}
_NUMBERS |= {"tv_weight", "tiled_tv_weight", "log_prob_weight", "mix_log_prob_weight", "cooldown"}
_NUMBERS |= {"detail_lr", "detail_decay_power", "detail_tv_weight", "variety", "mix_cooldown"}
_NUMBERS |= {"tint", "noise"}
_WORDS = {"canvas", "optimizer", "order", "detail_space"}
_KEYS = _COUNTS | _NUMBERS | _WORDS | {"scale", "blur_sigmas"}
_OCTAVE_KEYS = (
    *("iter_n", "scale", "start_sigma", "end_sigma"),
    *("start_step_size", "end_step_size"),
)


def read_preset(name: str, start: DrawConfig) -> DrawConfig:
    """Read a preset, or a TOML or JSON file.

    The file holds attributes of ``DrawConfig``, and a table ``[[octaves]]`` for each octave with
    deepdraw's keys: ``iter_n``, ``scale``, ``start_sigma``, ``end_sigma``, ``start_step_size``,
    ``end_step_size`` (in units of 1/255 for the optimizer ``deepdream``).

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
    content = _read_table(path)
    octaves = content.pop("octaves", start.octaves)
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
        return replace(start, octaves=octaves and _checked(path, "octaves", octaves))
    except UsageError as error:
        raise LucidError(f"{path}: {error}") from error


def _read_table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise LucidError(f"{path}: is not {path.suffix[1:].upper()} ({error})") from error
    if not isinstance(content, dict):
        raise LucidError(f"{path}: holds no table of settings")
    return content


def _checked(path: Path, key: str, value: Any) -> Any:
    """The value of an attribute of ``DrawConfig``, if it can be one."""
    if key in _COUNTS and type(value) is int and 0 <= value < 2**31:
        return value
    if key in _NUMBERS and _is_number(value):
        return value
    if key == "scale" and _are_numbers(value) and len(value) == 2 and min(value) > 0:
        return tuple(value)
    if key == "blur_sigmas" and _are_numbers(value) and all(value):
        return tuple(value)
    if key == "optimizer" and value == "mean":  # its name in version 0.1
        return "deepdream"
    if key in _WORDS and isinstance(value, str):
        return value
    if key in _KEYS:
        raise LucidError(f"{path}: {key} = {value!r} is not a possible value of {key}")
    raise LucidError(f"{path}: there is no setting {key!r}{nearest(key, sorted(_KEYS))}")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= float(str(value)) < 1e6


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _octave(path: Path, octave: object, config: DrawConfig) -> OctaveConfig:
    """An octave in deepdraw's keys."""
    if not isinstance(octave, dict):
        raise LucidError(f"{path}: an octave is a table, not {octave!r}")
    for key, value in octave.items():
        if key not in _OCTAVE_KEYS:
            raise LucidError(f"{path}: no octave has {key!r}{nearest(key, _OCTAVE_KEYS)}")
        if not _is_number(value):
            raise LucidError(f"{path}: {key} = {value!r} is not a number from 0")
    passes = octave.get("iter_n", config.iterations)
    if type(passes) is not int or passes < 1:
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
    )
