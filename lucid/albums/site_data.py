"""What an album's page knows of its pictures: a script of about a hundred bytes a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lucid.albums.album import Record
from lucid.albums.task import BROKEN, Task

START = "window.ALBUM = "
"""What the script begins with: a page that lies in a folder may run scripts, and fetch nothing."""


@dataclass(frozen=True)
class Look:
    """What is known of a picture from its file.

    Attributes:
        width: in pixels; 0 if the file cannot be read.
        height: in pixels.
        thumbs: number of thumbnails.
        moves: whether it is a film.
    """

    width: int = 0
    height: int = 0
    thumbs: int = 0
    moves: bool = False


@dataclass
class Texts:
    """Texts, each of which is held once and named by its number."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """The number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


class Lines:
    """Texts of several lines, most of which are those of the first text.

    Each is told by the lines that differ from the first text's: ``[2, 17]`` has the text of number
    17 in line 2. A text of another number of lines has all of them: ``{"all": [0, 1, 17]}``.
    """

    def __init__(self, texts: Texts) -> None:
        self.first: list[int] | None = None
        self._texts = texts

    def cell(self, lines: list[str]) -> list[int] | dict[str, list[int]]:
        """Tell a text, given as its lines."""
        numbers = [self._texts.number(line) for line in lines]
        if self.first is None:
            self.first = numbers
        if len(numbers) != len(self.first):
            return {"all": numbers}
        pairs = enumerate(zip(numbers, self.first, strict=True))
        return [each for line, (here, first) in pairs if here != first for each in (line, here)]


class SiteData:
    """The pictures of a page, added one after the other."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._axes: dict[str, int] = {}
        self._columns: dict[str, list[Any]] = {}
        self._toml, self._command = Lines(self._texts), Lines(self._texts)

    def __len__(self) -> int:
        return len(self._columns.get("key", ()))

    def add(self, task: Task, record: Record, look: Look) -> None:
        """Add a picture."""
        row = {
            "key": task.key,
            "suffix": task.suffix,
            "caption": task.caption,
            "width": look.width,
            "height": look.height,
            "thumbs": look.thumbs,
            "moves": int(look.moves),
            "seconds": round(_number(record.seconds), 1),
            "time": made_at(record),
            "machine": self._texts.number(str(record.machine)),
            "device": self._texts.number(str(record.device)),
            "axes": self._axis_values(task.axes),
            "toml": self._toml.cell(task.recipe.toml().split("\n")),
            "command": self._command.cell(command_line(task).split(" --")),
        }
        for name, value in row.items():
            self._columns.setdefault(name, []).append(value)

    def _axis_values(self, axes: Mapping[str, Any]) -> list[int]:
        """The numbers of an album's axes' values, in the order of the axes; -1 for none."""
        for name in axes:
            self._axes.setdefault(name, len(self._axes))
        return [
            self._texts.number(value_text(axes[name])) if name in axes else -1
            for name in self._axes
        ]

    def script(self, **about: object) -> bytes:
        """The script that tells all this to the page.

        Args:
            **about: what else the page is to know.
        """
        content = {
            **about,
            "axes": [*self._axes],
            "first": {"toml": self._toml.first or [], "command": self._command.first or []},
            "columns": {name: _shorten(column) for name, column in self._columns.items()},
            "texts": [*self._texts.numbers],
        }
        # All else that might end a script, or its line, is no ASCII and therefore escaped.
        text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
        return f"{START}{text};\n".encode()


def _shorten(column: list[Any]) -> list[Any]:
    """A column whose values are all the same has one."""
    return column[:1] if all(value == column[0] for value in column) else column


def _number(value: object) -> float:
    """A number of a record; 0 if it is none, as records come from other machines."""
    known = isinstance(value, int | float) and abs(value) < 1e12  # which no NaN is
    return float(value) if known else 0.0  # type: ignore[arg-type]


def made_at(record: Record) -> int:
    """When a picture was made, in whole seconds since 1970."""
    return int(_number(record.time))


def command_line(task: Task) -> str:
    """How a shell is told to make a picture again."""
    if task.command == "sheet":
        return task.recipe.command_line(("net_name", "layer"))
    return task.recipe.command_line()


def value_text(value: object) -> str:
    """An option's value as the page shows it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def earlier_looks(script: bytes) -> dict[str, tuple[int, Look]]:
    """Read from an earlier page's script what its pictures look like, so that none is read again.

    Returns:
        By keys, when the picture was made, and its look. Empty if the script is of another kind.
    """
    try:
        columns = json.loads(script.decode().removeprefix(START).rstrip(";\n"))["columns"]
        count = len(columns["key"])
        names = ("key", "time", "width", "height", "thumbs", "moves")
        full = [columns[each] * (count if len(columns[each]) == 1 else 1) for each in names]
        return {
            str(key): (int(time), Look(int(width), int(height), int(thumbs), bool(moves)))
            for key, time, width, height, thumbs, moves in zip(*full, strict=True)
        }
    except BROKEN:
        return {}
