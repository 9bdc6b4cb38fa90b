"""Classes, layers and moments as they are typed, in a command or an edit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lucid.errors import LARGEST, UsageError
from lucid.nets.imagenet import read_range


@dataclass(frozen=True)
class ClassSpec:
    """A class as it was typed."""

    name: str  # name, part of a name, number or group
    weight: float = 1.0
    region: str | None = None  # X,Y or X,Y,DIAMETER or a mask's file; None for everywhere

    @property
    def text(self) -> str:
        """The class as it may be typed."""
        weight = "" if self.weight == 1 else f":{self.weight:g}"
        return self.name + weight + (f"@{self.region}" if self.region else "")


def parse_class(text: str) -> ClassSpec:
    """Read a class: NAME or NAME:WEIGHT, either with @REGION behind it."""
    typed, _, region = text.partition("@")
    name, weight = typed.rsplit(":", 1) if ":" in typed else (typed, "1")
    try:
        return ClassSpec(name, float(weight), region or None)
    except ValueError:
        raise UsageError(f"{weight!r} in {text!r} is not a number: write NAME:WEIGHT") from None


CLASS_NUMBERS = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")
"""Classes by their numbers: one, several, or ranges of them."""


def expand_numbers(classes: Iterable[ClassSpec]) -> list[ClassSpec]:
    """Take classes that were typed as numbers with commas and ranges (1,3,8-11) one by one."""
    expanded: list[ClassSpec] = []
    for each in classes:
        if not CLASS_NUMBERS.fullmatch(each.name):
            expanded.append(each)
            continue
        for part in each.name.split(","):
            numbers = read_range(part)
            if not 0 < len(numbers) <= 10_000:
                raise UsageError(f"{part!r} is no range of classes, such as 3-7")
            expanded += [replace(each, name=str(number)) for number in numbers]
    return expanded


@dataclass(frozen=True)
class LayerSpec:
    """A layer, channels of it, or a neuron, as it was typed."""

    name: str
    channels: tuple[int, ...] = ()  # none for the whole layer
    neuron: tuple[float, float] | None = None  # (x, y), fractions of width and height
    weight: float = 1.0
    region: str | None = None  # X,Y,DIAMETER or a mask's file; None for everywhere


LAYER = re.compile(
    r"(?P<name>[^:@]+)(?:"
    r":(?P<channels>\d{1,6}(?:,\d{1,6}){0,99})(?:@(?P<x>[\d.]+),(?P<y>[\d.]+))?"
    r"(?::(?P<weight>-?[\d.]+))?|::(?P<whole>-?[\d.]+))?"
)
"""A layer as it is typed; ``whole`` is the weight of a whole layer."""


def parse_layer(text: str) -> LayerSpec:
    """Read LAYER[:CHANNEL,…][@X,Y][:WEIGHT][@REGION]; a whole layer's weight stands behind ``::``.

    A region is the name of a mask, or X,Y,DIAMETER: X,Y alone is a neuron.
    """
    typed, mark, region = text.rpartition("@")
    if not mark or re.fullmatch(r"[\d.]+,[\d.]+(:-?[\d.]+)?", region):
        typed, region = text, ""
    found = LAYER.fullmatch(typed)
    try:
        if not found:
            raise ValueError
        neuron = (float(found["x"]), float(found["y"])) if found["x"] else None
        if neuron and not all(0 <= fraction <= 1 for fraction in neuron):
            raise ValueError
        weight = float(found["weight"] or found["whole"] or "1")
        if not abs(weight) <= LARGEST:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{text!r} is not LAYER, LAYER:CHANNEL, LAYER:CHANNEL,CHANNEL or LAYER:CHANNEL@X,Y "
            "(the number of a channel; X and Y from 0 to 1), or one of these with :WEIGHT behind "
            "it, where a whole layer takes two colons (8::-0.5)"
        ) from None
    channels = tuple(int(number) for number in (found["channels"] or "").split(",") if number)
    return LayerSpec(found["name"], channels, neuron, weight, region or None)


FILES_IN_WORDS = re.compile(
    r"@(?P<region>[^+;]+)|(?:mask|erase|place)\s*=\s*(?P<mask>[^;]+)", re.DOTALL
)
"""Where the words of an edit or a key frame may name files."""


def parse_moment(text: str) -> tuple[int, int]:
    """Read a moment: 37 passes, or 37.2 with two rings of the next.

    Raises:
        UsageError: it is none.
    """
    if not (found := re.fullmatch(r"(\d{1,9})(?:\.(\d{1,9}))?", text)):
        raise UsageError(f"{text!r} is no moment: give a number of passes, such as 40")
    return int(found[1]), int(found[2] or 0)
