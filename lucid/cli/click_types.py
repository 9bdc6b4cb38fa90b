"""Types of options: functions that read what was typed, as ``type=`` of a click option."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from lucid.cli import completers
from lucid.drawing import specs
from lucid.drawing.specs import ClassSpec, LayerSpec
from lucid.errors import LARGEST, UsageError
from lucid.imaging.fit import FITS
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


Read = TypeVar("Read")


def _typed(parse: Callable[[str], Read], text: str) -> Read:
    """Read an option's value, and say of a mistake that it is the option's."""
    try:
        return parse(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


def parse_class(text: str) -> ClassSpec:
    """Read a class: NAME or NAME:WEIGHT, either with @REGION behind it."""
    return _typed(specs.parse_class, text)


def parse_layer(text: str) -> LayerSpec:
    """Read a layer, channels of it or a neuron, with its weight and @REGION behind it."""
    return _typed(specs.parse_layer, text)


def parse_moment(text: str) -> tuple[int, int]:
    """Read when an edit is made: 37 passes, or 37.2 with two rings of the next."""
    return _typed(specs.parse_moment, text)


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
