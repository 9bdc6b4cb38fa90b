"""What a warp is, and how a user types one: ``zoom:0.05``, ``roll:15*sin(n/20)``.

A warp is a function that changes a film's picture between two frames. The built-in ones are in
``lucid.films.warps``; ``lucid film --warps FILE`` loads a user's own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from lucid.errors import LucidError, UsageError, nearest
from lucid.films.expressions import Expression
from lucid.plugins import entry_points, load_entry_point, place_of, run_file

Profile = Callable[[int], Tensor]
"""Maps a count of columns (or rows) to one number for each of them."""

ENTRY_POINTS = "lucid.warps"
"""The group of entry points by which a package offers warps."""

WARPS: dict[str, Callable[..., Tensor]] = {}
"""All warps by name; the decorator ``warp`` fills it."""

RENAMED = {"glide": "translate", "sort": "pixel-sort"}
"""Names of version 0.1, which are still understood, and what they are called now."""


def warp(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Register a function as a warp, named after it with dashes for underscores.

    Args:
        function: called with the picture, (3, height, width), RGB, 0..1; the number of the frame
            that the warped picture is for; a random generator; and the numbers that the user
            typed. The parameters of those are annotated ``float``, or ``Profile`` for one number
            a column or row. Returns a picture of the same size, which is clipped to 0..1.

    Returns:
        The function, unchanged.
    """
    WARPS[function.__name__.replace("_", "-")] = function
    return function


@dataclass(frozen=True)
class Warp:
    """A warp of ``WARPS`` with the numbers it is called with.

    Each is an expression in ``t``, the frame's number; a ``Profile`` also in ``n``, the column's or
    row's number.
    """

    name: str
    arguments: tuple[Expression, ...]

    def __call__(self, image: Tensor, frame: int, generator: Generator) -> Tensor:
        """Warp a picture, (3, height, width), RGB, 0..1, that a frame is to be drawn on.

        Raises:
            UsageError: the numbers are not possible.
            LucidError: a user's own warp fails; the message names its file and line.
        """
        values: list[Any] = []
        for index, expression in enumerate(self.arguments):
            if _is_profile(self.name, index):
                values.append(_profile(expression, frame, image.device))
            else:
                values.append(float(expression(t=frame)))
        try:
            warped = WARPS[self.name](image, frame, generator, *values).clamp(0, 1)
        except LucidError:
            raise
        except Exception as error:  # a user's own warp may raise anything
            where = place_of(error, inspect.getfile(WARPS[self.name]))
            raise LucidError(
                f"{where}: the warp {self.name} fails before frame {frame} "
                f"({type(error).__name__}: {error})"
            ) from error
        if warped.shape != image.shape:
            raise UsageError(f"the warp {self.name} changes the picture's size at frame {frame}")
        if warped.isnan().any():
            raise UsageError(f"the warp {self.name} makes pixels that are no numbers")
        return warped


def _profile(expression: Expression, frame: int, device: torch.device) -> Profile:
    def numbers(count: int) -> Tensor:
        value = expression(n=np.arange(count, dtype=np.float64), t=frame)
        return torch.from_numpy(np.broadcast_to(value, count).astype(np.float32)).to(device)

    return numbers


def current_name(name: str) -> str:
    """Return the present name of a warp that may be typed by its name of version 0.1."""
    return name if name in WARPS else RENAMED.get(name, name)


def parse(text: str) -> Warp:
    """Parse a warp typed as ``NAME`` or ``NAME:NUMBER,NUMBER``; a number may be an expression.

    Raise a LucidError if there is no such warp or it fails on a small black picture.
    """
    name, _, rest = text.partition(":")
    name = current_name(name)
    if name not in WARPS and name in entry_points(ENTRY_POINTS):
        WARPS[name] = load_entry_point(ENTRY_POINTS, name)
    if name not in WARPS:
        raise UsageError(f"there is no warp {name!r}{nearest(name, sorted(WARPS))}")
    typed = _split(rest) if rest.strip() else []
    try:
        inspect.signature(WARPS[name]).bind("image", "frame", "generator", *typed)
    except TypeError:
        raise UsageError(f"warp {text!r}: write {usage(name)}") from None
    try:
        arguments = [
            Expression(argument, frozenset("nt" if _is_profile(name, index) else "t"))
            for index, argument in enumerate(typed)
        ]
        parsed = Warp(name, tuple(arguments))
        parsed(torch.zeros(3, 16, 16), 1, Generator())
    except UsageError as error:
        raise UsageError(f"warp {text!r}: {error}") from error
    return parsed


def usage(name: str) -> str:
    """Return how a warp is typed, such as ``random-roll:LOW,HIGH,[GROUP]``."""
    words = []
    for parameter in _parameters(name):
        word = parameter.name.upper()
        if parameter.kind is parameter.VAR_POSITIONAL:
            word = f"{word},…"
        words.append(word if parameter.default is parameter.empty else f"[{word}]")
    return f"{name}:{','.join(words)}" if words else name


def load(path: Path) -> None:
    """Run a user's Python file, which registers its warps; raise a LucidError if that fails."""
    # Files written for version 0.1 say `from lucid.warps import warp`.
    sys.modules["lucid.warps"] = sys.modules["lucid.films.warps"]
    run_file(path)


def _parameters(name: str) -> list[inspect.Parameter]:
    """A warp's parameters behind picture, frame and generator."""
    return list(inspect.signature(WARPS[name]).parameters.values())[3:]


def _is_profile(name: str, index: int) -> bool:
    """Whether a warp's number at an index is a profile; ``*numbers`` takes all further ones."""
    parameters = _parameters(name)
    # Annotations are strings in files with `from __future__ import annotations`.
    return parameters[min(index, len(parameters) - 1)].annotation in (Profile, "Profile")


def _split(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
