"""Darknet's cfg text, parsed into sections: ``[kind]`` lines, each with ``key=value`` lines.

The first section is ``[net]`` or ``[network]``; every other section is one layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lucid.errors import LucidError
from lucid.reading import read_text

Value = TypeVar("Value")

# Far above any published cfg (Darknet's longest has some 400 sections), and low enough to
# refuse nonsense before any memory is allocated.
MAX_SECTIONS = 10_000
MAX_INTEGER = 1_000_000


@dataclass
class Section:
    """One section of a cfg.

    The methods that read an option raise a LucidError, which names its line, if it is invalid.

    Attributes:
        source: the cfg's name, for messages.
        line: the number of the section's line, from 1.
        kind: the word in brackets, in lower case.
        options: of each key, the value as text and the number of its line.
    """

    source: str
    line: int
    kind: str
    options: dict[str, tuple[str, int]] = field(default_factory=dict)

    def error(self, problem: str, key: str = "") -> LucidError:
        """Return an error that names the file, the section and the line (an option's, by key)."""
        line = self.options[key][1] if key in self.options else self.line
        return LucidError(f"{self.source}, line {line}: [{self.kind}] {problem}")

    def text(self, key: str, default: str) -> str:
        """Return an option's value as text."""
        return self.options[key][0] if key in self.options else default

    def integer(self, key: str, default: int, least: int = 0) -> int:
        """Return an option's value as a whole number from ``least`` to a million."""
        value = self._parse(key, default, int, "a whole number")
        if not least <= value <= MAX_INTEGER:
            raise self.error(f"{key}={value} must be from {least} to {MAX_INTEGER}", key)
        return value

    def number(self, key: str, default: float) -> float:
        """Return an option's value as a finite number."""
        value = self._parse(key, default, float, "a number")
        if not abs(value) < float("inf"):
            raise self.error(f"{key}={value} must be finite", key)
        return value

    def integers(self, key: str) -> list[int]:
        """Return the value of a required option, whole numbers separated by commas."""
        if key not in self.options:
            raise self.error(f"needs {key}=, a list of layer numbers")

        def split(value: str) -> list[int]:
            return [int(part) for part in value.rstrip(",").split(",")]

        return self._parse(key, [], split, "a list of whole numbers")

    def _parse(self, key: str, default: Value, parse: Callable[[str], Value], what: str) -> Value:
        if key not in self.options:
            return default
        value, _ = self.options[key]
        try:
            return parse(value)
        except ValueError:
            raise self.error(f"{key}={value} is not {what}", key) from None


def parse(text: str, source: str = "cfg") -> list[Section]:
    """Split cfg text into its sections, ``[net]`` first and then at least one layer.

    As in Darknet, blanks are dropped, and so are lines that begin with ``#`` or ``;``. Unlike in
    Darknet, a comment may also follow an option on its line. Raises LucidError, naming the line.
    """
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = "".join(raw.split("#")[0].split(";")[0].split())
        if not line:
            continue
        where = f"{source}, line {number}"
        if line.startswith("["):
            if not line.endswith("]") or len(line) < 3:
                raise LucidError(f"{where}: {line!r} is not a [section]")
            sections.append(Section(source, number, line[1:-1].lower()))
            if len(sections) > MAX_SECTIONS:
                raise LucidError(f"{where}: more than {MAX_SECTIONS} sections")
            continue
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise LucidError(f"{where}: {line!r} is neither a [section] nor a key=value")
        if not sections:
            raise LucidError(f"{where}: {line!r} stands before any [section]")
        sections[-1].options.setdefault(key, (value, number))  # Darknet uses the first, too
    if not sections or sections[0].kind not in ("net", "network"):
        place = f", line {sections[0].line}" if sections else ""
        raise LucidError(f"{source}{place}: a Darknet cfg begins with a [net] section")
    if len(sections) == 1:
        raise LucidError(f"{source}: there are no layers after [net]")
    return sections


def read(path: Path) -> list[Section]:
    """Read a cfg file and return its sections, ``[net]`` first.

    Raises:
        LucidError: the file cannot be read or does not parse.
    """
    # Bytes that are not UTF-8 can only be part of a comment.
    return parse(read_text(path, errors="replace"), str(path))
