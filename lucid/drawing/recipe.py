"""The recipe of a picture that a Python program drew, as if a command had drawn it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image

from lucid.core.device import precision_name
from lucid.core.objectives import Channel, LayerL2
from lucid.core.provenance import made_by
from lucid.drawing.edits import TimedEdit, moment_text
from lucid.drawing.options import DEFAULT_OPTIONS
from lucid.drawing.plan import Given, Plan
from lucid.drawing.targets import Targets
from lucid.imaging.recipes import Recipe

NAMES = {
    "order": "tiles",
    "tile_size": "tile-size",
    "octave_count": "octaves",
    "octave_scale": "octave-scale",
    "iterations": "iters",
    "keep_colors": "keep-colors",
    "weight_decay": "weight-decay",
}
"""What the command line calls an option, where that differs."""

PROGRAM_ONLY = ("optimizer", "weight")
"""Options that no command takes."""


def draw_recipe(
    plan: Plan,
    more: Mapping[str, Any] | None = None,
    *,
    passes: int | None = None,
    edits: Sequence[TimedEdit] | None = None,
    source: Given | None = None,
) -> Recipe:
    """Write down what ``lucid draw`` would have to be told to make a picture.

    Args:
        plan: of the drawing.
        more: further settings, such as the ``skin`` that was given to ``draw_skin``.
        passes: how many there were, of a picture that is not finished.
        edits: that were made under way; None for the plan's own.
        source: targets, base and options as they were given; None for what ``prepare`` was given.

    Returns:
        The recipe. What no command can be told is listed in ``made.program``, so that ``lucid
        redo`` can say why the picture cannot be made again.
    """
    source = source or plan.given
    assert source  # of whatever prepare made
    options = source.options
    given: dict[str, Any] = {"class": [], "layer": [], "net": plan.net.name}
    program: list[str] = []
    for target in _parts(source.targets):
        _add_target(given, program, target)
    for name, value in {**options, "base": source.base, **(more or {})}.items():
        if name not in ("size", "runtime", "seed", "at") and value is not DEFAULT_OPTIONS.get(name):
            _add_option(given, program, name, value)
    given["at"] = _edit_words(plan.edits if edits is None else edits, program)
    given = {name: value for name, value in given.items() if value != []}
    runtime = plan.ascent.runtime
    given |= {
        "size": f"{plan.size[1]}x{plan.size[0]}",
        "seed": plan.seed,
        "fit": options.get("fit", DEFAULT_OPTIONS["fit"]),
        "precision": precision_name(plan.ascent.dtype),
        **resolved_options(plan),
        **({"deterministic": True} if runtime.deterministic else {}),
        **({"pooling": runtime.pooling} if runtime.pooling != "max" else {}),
    }
    made = {**made_by(plan.net, plan.ascent.device), **plan.to_dict()}
    made |= {} if passes is None else {"passes": passes}
    return Recipe("draw", given, made | ({"program": program} if program else {}))


def resolved_options(plan: Plan) -> dict[str, Any]:
    """Options whose defaults depend on the net, as they were resolved."""
    # As a share, so that things stay as large in the picture when its size is changed.
    subject = f"{plan.subject / min(plan.size):.6g}"
    names = ("variety", "noise", "tint")
    return {"subject": subject, **{name: float(getattr(plan.config, name)) for name in names}}


def _edit_words(edits: Sequence[TimedEdit], program: list[str]) -> list[list[str]]:
    """Write down edits as ``--at`` takes them."""
    typed = []
    for moment, edit in edits:
        words = []
        for name, value in edit.items():
            if name == "targets":
                named: dict[str, Any] = {"class": [], "layer": []}
                for target in _parts(cast(Targets, value)):
                    _add_target(named, program, target)
                words += [f"{kind}={'+'.join(each)}" for kind, each in named.items() if each]
            elif name == "stop":
                words += ["stop"] if value else []
            elif name == "mask" and value is None:
                words.append("mask=everywhere")
            elif isinstance(value, str | int | float | Path):
                words.append(f"{NAMES.get(name, name)}={value}")
            else:
                program.append(f"{name} at {moment_text(moment)}")
        if words:
            typed.append([moment_text(moment), "; ".join(words)])
    return typed


def _parts(targets: Targets) -> Iterable[Any]:
    if isinstance(targets, Mapping):
        return [f"{name}:{weight:.12g}" for name, weight in targets.items()]
    return targets if isinstance(targets, list | tuple) else [targets]


def _add_target(given: dict[str, Any], program: list[str], target: object) -> None:
    """Write down a class or layer, or that the program had another objective."""
    if isinstance(target, str | int):
        given["class"].append(str(target))
    elif isinstance(target, LayerL2):
        given["layer"].append(target.layer)
    elif isinstance(target, Channel):
        place = "" if target.neuron is None else f"@{target.neuron[0]:g},{target.neuron[1]:g}"
        given["layer"].append(f"{target.layer}:{target.channel}{place}")
    else:
        program.append(f"objective {target!r}")


def _add_option(given: dict[str, Any], program: list[str], name: str, value: object) -> None:
    """Write down an option, or that the program had something that cannot be typed."""
    if name == "base" and isinstance(value, str | Path):
        given[name] = [str(value)]
    elif name in PROGRAM_ONLY:
        program.append(f"{name} {value!r}")
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        given[name] = value
    elif isinstance(value, str | int | float | Path):
        given[NAMES.get(name, name)] = str(value) if isinstance(value, Path) else value
    elif isinstance(value, torch.Tensor | np.ndarray | Image.Image | Iterator):
        program.append(name)
    else:
        program.append(f"{name} {value!r}")
