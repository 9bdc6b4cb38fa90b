"""Darknet's cfg text, read into sections.

A cfg is a list of sections, ``[kind]``, each with ``key=value`` lines. The
first is ``[net]`` (or ``[network]``); every other section is one layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lucid.errors import LucidError

Value = TypeVar("Value")

# Far above anything published (Darknet's longest cfg has some 400 sections),
# and low enough that nonsense is refused before any memory is asked for.
MOST_SECTIONS = 10_000
LARGEST_NUMBER = 1_000_000


@dataclass
class Section:
    """One ``[kind]`` of a cfg, with the line it stands on."""

    source: str
    line: int
    kind: str
    options: dict[str, tuple[str, int]] = field(default_factory=dict)

    def fail(self, problem: str, line: int | None = None) -> LucidError:
        """An error that names the file and the line; the caller raises it."""
        return LucidError(f"{self.source}, line {line or self.line}: [{self.kind}] {problem}")

    def text(self, key: str, default: str) -> str:
        return self.options[key][0] if key in self.options else default

    def integer(self, key: str, default: int, least: int = 0) -> int:
        """A whole number from ``least`` to a million."""
        value = self._parse(key, default, int, "a whole number")
        if not least <= value <= LARGEST_NUMBER:
            raise self.fail(
                f"{key}={value} must be from {least} to {LARGEST_NUMBER}", self._line(key)
            )
        return value

    def number(self, key: str, default: float) -> float:
        value = self._parse(key, default, float, "a number")
        if not abs(value) < float("inf"):
            raise self.fail(f"{key}={value} must be finite", self._line(key))
        return value

    def integers(self, key: str) -> list[int]:
        """A comma-separated list of whole numbers, which must be there."""
        if key not in self.options:
            raise self.fail(f"needs {key}=, a list of layer numbers")
        return self._parse(
            key,
            [],
            lambda value: [int(part) for part in value.rstrip(",").split(",")],
            "a list of whole numbers",
        )

    def _line(self, key: str) -> int:
        return self.options[key][1] if key in self.options else self.line

    def _parse(self, key: str, default: Value, parse: Callable[[str], Value], what: str) -> Value:
        if key not in self.options:
            return default
        value, line = self.options[key]
        try:
            return parse(value)
        except ValueError:
            raise self.fail(f"{key}={value} is not {what}", line) from None


def parse(text: str, source: str = "cfg") -> list[Section]:
    """Split cfg text into its sections, ``[net]`` first.

    As Darknet does, drops all blanks and the lines that begin with ``#`` or
    ``;``; unlike Darknet, also what follows a ``#`` or ``;`` further on.

    Raises:
        LucidError: a line that is neither a section, an option nor a comment,
            or text that does not begin with ``[net]``. Names the line.
    """
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = "".join(raw.split("#")[0].split(";")[0].split())
        if not line:
            continue
        if line.startswith("["):
            if not line.endswith("]") or len(line) < 3:
                raise LucidError(f"{source}, line {number}: {line!r} is not a [section]")
            sections.append(Section(source, number, line[1:-1].lower()))
            if len(sections) > MOST_SECTIONS:
                raise LucidError(f"{source}, line {number}: more than {MOST_SECTIONS} sections")
            continue
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise LucidError(
                f"{source}, line {number}: {line!r} is neither a [section] nor a key=value"
            )
        if not sections:
            raise LucidError(f"{source}, line {number}: {line!r} stands before any [section]")
        sections[-1].options.setdefault(key, (value, number))  # Darknet finds the first
    if not sections or sections[0].kind not in ("net", "network"):
        where = f", line {sections[0].line}" if sections else ""
        raise LucidError(f"{source}{where}: a Darknet cfg begins with a [net] section")
    if len(sections) == 1:
        raise LucidError(f"{source}: there are no layers behind [net]")
    return sections


def read(path: Path) -> list[Section]:
    """Read and parse a cfg file.

    Raises:
        LucidError: the file cannot be read or does not parse.
    """
    try:
        # What is not UTF-8 can only matter in a comment.
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror})") from error
    return parse(text, str(path))
