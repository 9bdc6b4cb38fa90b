"""Axes of an album: which values an option takes, and every combination of them."""

from __future__ import annotations

import glob
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lucid.errors import UsageError
from lucid.nets.imagenet import read_range


@dataclass(frozen=True)
class Value:
    """One value of an axis.

    Attributes:
        label: how it is called in captions and on the page.
        options: what it sets, by the long names of options.
    """

    label: str
    options: dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """An option that takes several values within an album.

    Attributes:
        name: of the option.
        values: that it takes, which may be more than fit into memory (``Numbers``).
    """

    name: str
    values: Sequence[Value]


class Numbers(Sequence[Value]):
    """Whole numbers of an option, as values."""

    def __init__(self, name: str, ranges: Sequence[range]) -> None:
        self.name, self.ranges = name, ranges

    def ends(self) -> tuple[int, int]:
        """The least and the largest number."""
        return min(each[0] for each in self.ranges), max(each[-1] for each in self.ranges)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def __getitem__(self, index: Any) -> Any:
        place = index
        for each in self.ranges:
            if place < len(each):
                return Value(str(each[place]), {self.name: each[place]})
            place -= len(each)
        raise IndexError(index)


NUMBERS = re.compile(r"\d{1,18}(-\d{1,18})?(,\d{1,18}(-\d{1,18})?)*")
"""Numbers and ranges of them, as they are typed: 0-2,7."""


MOST = 10**15
"""Numbers of an axis; more do not fit into a length of Python's."""


def numbers(name: str, text: str) -> Numbers:
    """Read whole numbers of an option: 0-2,7.

    Raises:
        UsageError: they are none, or a range ends before it begins.
    """
    compact = text.replace(" ", "")
    ranges = [*map(read_range, compact.split(","))] if NUMBERS.fullmatch(compact) else []
    if sum(each.stop - each.start for each in ranges) > MOST:
        raise UsageError(f"{name} = {text!r} are more numbers than can be painted")
    if not ranges or not all(ranges):
        raise UsageError(f"{name} = {text!r} is no list of whole numbers and ranges, such as 0-2,7")
    return Numbers(name, ranges)


def split(typed: Any) -> list[Any]:
    """Part what was typed for an axis: a list as it is, a text at semicolons, else at commas."""
    if isinstance(typed, list):
        return typed
    if not isinstance(typed, str):
        return [typed]
    parts = typed.split(";" if ";" in typed else ",")
    return [part.strip() for part in parts if part.strip()]


def files(name: str, patterns: Sequence[Any], folder: Path) -> list[str]:
    """Find the files of patterns, looked for beside the album's description, then here.

    Raises:
        UsageError: a pattern fits none.
    """
    found: list[str] = []
    for pattern in map(str, patterns):
        if not glob.has_magic(pattern) or Path(pattern).exists():
            found.append(pattern)
            continue
        for place in dict.fromkeys((folder, Path())):
            if matches := sorted(glob.glob(str(place / pattern))):
                found += matches
                break
        else:
            raise UsageError(f"{name} = {pattern!r}: no file fits")
    return found


def count(axes: Sequence[Axis]) -> int:
    """The number of combinations."""
    return math.prod(len(axis.values) for axis in axes)


def combinations(axes: Sequence[Axis]) -> Iterator[list[Value]]:
    """Every combination of values, of which the last axis changes first; in no memory at all."""
    for number in range(count(axes)):
        chosen, rest = [], number
        for axis in reversed(axes):
            rest, index = divmod(rest, len(axis.values))
            chosen.append(axis.values[index])
        yield chosen[::-1]
