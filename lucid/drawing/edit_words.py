"""Edits as they are typed, in a command, a recipe or the studio: ``class=lion; strength=.5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lucid.drawing.config import DrawConfig
from lucid.drawing.edits import Edit
from lucid.drawing.spec_targets import RegionReader, class_targets, layer_targets
from lucid.drawing.specs import expand_numbers, parse_class, parse_layer
from lucid.drawing.targets import Target
from lucid.errors import UsageError, nearest
from lucid.imaging.io import Picture
from lucid.imaging.masks import mask_name
from lucid.imaging.recipe_masks import HELD
from lucid.nets.net import Net

KEYS = ("class", "layer", "mask", "strength", "padding", "iters", "seed", "erase", "stop")
"""What an edit may change, as it is typed."""

EVERYWHERE = "everywhere"
"""The mask that takes a mask away."""


@dataclass(frozen=True)
class EditReader:
    """Reads edits of one drawing.

    Attributes:
        net: the net that paints.
        config: hyperparameters of the drawing.
        regions: reads regions and masks.
    """

    net: Net
    config: DrawConfig
    regions: RegionReader

    def parse(self, text: str) -> Edit:
        """Read an edit: words such as ``class=lion:2+monarch@mask.png``, with ``;`` in between.

        Raises:
            UsageError: a word is none of ``KEYS``, or its value makes no sense.
        """
        edit: Edit = {}
        targets: list[Target] = []
        for word in text.split(";"):
            key, equals, value = (part.strip() for part in word.partition("="))
            if key not in KEYS or not (equals or key == "stop"):
                near = nearest(key, [*KEYS])
                raise UsageError(f"{word.strip()!r}: write NAME=VALUE, such as class=lion{near}")
            if key == "stop":
                edit["stop"] = True
            elif key in ("class", "layer"):
                targets += self._targets(key, value)
            elif key == "padding":
                edit["padding"] = value
            elif key == "mask":
                edit["mask"] = None if value == EVERYWHERE else self._mask(value)
            elif key == "erase":
                edit["erase"] = self._mask(value)
            elif key == "strength":
                edit["strength"] = _number(word, value)
            elif key == "iters":
                edit["iterations"] = _count(word, value)
            else:
                edit["seed"] = _count(word, value)
        if targets:
            edit["targets"] = targets
        return edit

    def _targets(self, kind: str, value: str) -> Sequence[Target]:
        """Read classes or layers with + in between."""
        parts = value.split("+")
        if kind == "class":
            specs = expand_numbers(map(parse_class, parts))
            return class_targets(self.net, specs, self.config, self.regions)
        return layer_targets(self.net, list(map(parse_layer, parts)), self.regions)

    def _mask(self, name: str) -> Picture:
        held = name.startswith(HELD)
        return name if not held and mask_name(name) else self.regions.read(name)


def _number(word: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise UsageError(f"{word.strip()!r}: {value!r} is no number") from None


def _count(word: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,19}", value):
        raise UsageError(f"{word.strip()!r}: {value!r} is no whole number")
    return int(value)
