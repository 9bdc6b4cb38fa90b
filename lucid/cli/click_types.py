"""Types of options: functions that read what was typed, as ``type=`` of a click option."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from lucid.cli import completers
from lucid.errors import LARGEST
from lucid.imaging.fit import FITS
from lucid.nets.imagenet import read_range
from lucid.plugins import is_code

FILE = click.Path(path_type=Path)
PRECISION = click.Choice(["auto", "fp32", "bf16", "fp16"])


def describe_range(least: float | None, most: float | None) -> str:
    """Say how large a number may be, for help texts; limits that nobody reaches are left out."""
    reached = [each for each in (least, most) if each is not None and abs(each) < LARGEST]
    if len(reached) == 2:
        return f"{least:g} to {most:g}"
    return f"{least:g} or more" if least in reached else ""


class WholeNumber(click.IntRange):
    """A whole number in a range."""

    name = "integer"

    def _describe_range(self) -> str:
        return describe_range(self.min, self.max)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number, or say what is wrong with it."""
        try:
            int(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a whole number, such as {max(self.min or 0, 7)}", param, ctx
            )
        return int(super().convert(value, param, ctx))


SEED = WholeNumber(0, 2**63 - 1)
COUNT = WholeNumber(1, 2**31 - 1)
SIDE = WholeNumber(8, 1_000_000)


class Number(click.FloatRange):
    """A finite number, in a range if one is given."""

    name = "number"

    def _describe_range(self) -> str:
        return describe_range(self.min, self.max)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number, or say what is wrong with it."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):  # no range refuses nan
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


NUMBER = Number(-LARGEST, LARGEST)


@dataclass(frozen=True)
class SizeSpec:
    """A size as it was typed: in pixels, or relative to a picture."""

    width: int | None = None
    height: int | None = None
    longest: int | None = None  # of both sides
    percent: float | None = None

    def of(self, picture: tuple[int, int] | None) -> tuple[int, int]:
        """The size, (height, width) in pixels.

        Args:
            picture: (height, width) of the picture that is painted on; without it, what is not
                said is a square.

        Raises:
            BadParameter: there is no picture whose percent could be meant, or a side is too long.
        """
        if self.width and self.height:
            return self.height, self.width
        if self.percent and picture is None:
            raise click.BadParameter("a size in percent needs a picture to paint on")
        height, width = picture or (1, 1)
        if self.percent:
            factor = self.percent / 100
        elif self.longest:
            factor = self.longest / max(height, width)
        else:
            factor = self.width / width if self.width else (self.height or 0) / height
        if not max(height, width) * factor < 1e7:
            raise click.BadParameter("a side of ten million pixels or more is too long")
        return max(1, round(height * factor)), max(1, round(width * factor))


def parse_size(text: str) -> SizeSpec:
    """Read a picture's size: 640x480, 640x or x480, 640 (the longest side), or 50%."""
    number = r"0*([1-9]\d{0,6})"
    if match := re.fullmatch(rf"(?:{number})?x(?:{number})?", text.lower()):
        width, height = (int(side) if side else None for side in match.groups())
        if width or height:
            return SizeSpec(width, height)
    elif match := re.fullmatch(number, text):
        return SizeSpec(longest=int(match[1]))
    elif (match := re.fullmatch(r"(\d{1,4}(?:\.\d{1,6})?)%", text)) and float(match[1]) > 0:
        return SizeSpec(percent=float(match[1]))
    raise click.BadParameter(
        f"{text!r} is not a size in pixels, such as 640x480, 640x or x480 (the other side as the "
        "picture's shape has it), 640 (the longest side), or a percentage, such as 50%"
    )


def parse_pixels(text: str) -> tuple[int, int]:
    """Read a size as ``parse_size`` does, where there is no picture: (height, width) in pixels."""
    return parse_size(text).of(None)


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
        raise click.BadParameter(
            f"{weight!r} in {text!r} is not a number: write NAME:WEIGHT"
        ) from None


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
                raise click.BadParameter(f"{part!r} is no range of classes, such as 3-7")
            expanded += [replace(each, name=str(number)) for number in numbers]
    return expanded


@dataclass(frozen=True)
class LayerSpec:
    """A layer, channels of it, or a neuron, as it was typed."""

    name: str
    channels: tuple[int, ...] = ()  # none for the whole layer
    neuron: tuple[float, float] | None = None  # (x, y), fractions of width and height
    weight: float = 1.0


LAYER = re.compile(
    r"(?P<name>[^:@]+)(?:"
    r":(?P<channels>\d{1,6}(?:,\d{1,6}){0,99})(?:@(?P<x>[\d.]+),(?P<y>[\d.]+))?"
    r"(?::(?P<weight>-?[\d.]+))?|::(?P<whole>-?[\d.]+))?"
)
"""A layer as it is typed; ``whole`` is the weight of a whole layer."""


def parse_layer(text: str) -> LayerSpec:
    """Read LAYER[:CHANNEL,…][@X,Y][:WEIGHT]; a whole layer's weight stands behind two colons."""
    found = LAYER.fullmatch(text)
    try:
        if not found:
            raise ValueError
        neuron = (float(found["x"]), float(found["y"])) if found["x"] else None
        if neuron and not all(0 <= fraction <= 1 for fraction in neuron):
            raise ValueError
        weight = NUMBER.convert(found["weight"] or found["whole"] or "1", None, None)
    except (ValueError, click.BadParameter):
        raise click.BadParameter(
            f"{text!r} is not LAYER, LAYER:CHANNEL, LAYER:CHANNEL,CHANNEL or LAYER:CHANNEL@X,Y "
            "(the number of a channel; X and Y from 0 to 1), or one of these with :WEIGHT behind "
            "it, where a whole layer takes two colons (8::-0.5)"
        ) from None
    channels = tuple(int(number) for number in (found["channels"] or "").split(",") if number)
    return LayerSpec(found["name"], channels, neuron, weight)


class NameOrCode(click.ParamType):
    """One of some names, or an object in a Python file: FILE.py:NAME."""

    name = "name"

    def __init__(self, *names: str) -> None:
        self.names = names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Show the names."""
        return f"[{'|'.join(self.names)}|FILE.py:NAME]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a name, or say which there are."""
        if value not in self.names and not is_code(value):
            known = ", ".join(map(repr, self.names))
            self.fail(f"{value!r} is not one of {known}, or FILE.py:NAME", param, ctx)
        return str(value)


def parse_grey(text: str) -> str | float:
    """Read the strength of the pull towards grey: ``auto``, ``darknet`` or a number."""
    if text in ("auto", "darknet"):
        return text
    try:
        return NUMBER.convert(text, None, None)
    except click.BadParameter as error:
        raise click.BadParameter(
            f"{text!r} is not auto, darknet or a number: {error.message}"
        ) from None


# Settings of options that several commands have
CLASSES = {"type": parse_class, "multiple": True, "shell_complete": completers.classes}
LAYERS = {"type": parse_layer, "multiple": True, "shell_complete": completers.layers}
SIZE = {"type": parse_size, "metavar": "WxH|SIDE|N%"}
FIT: dict[str, Any] = {
    "about": "How a base of another shape is brought to --size: crop cuts off its borders, pad "
    "mirrors them, inside makes the picture smaller, stretch changes the shape.",
    "type": click.Choice(FITS),
    "default": "crop",
}
DEVICE: dict[str, Any] = {
    "about": "Device that the net runs on; cuda:0,cuda:1 shares the tiles among two GPUs.",
    "default": "auto",
    "metavar": "auto|cpu|cuda[:N]|mps",
}
