"""One picture, film or sheet of an album: its recipe, and the key that its files are named by."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lucid.errors import LucidError
from lucid.imaging.recipes import Recipe

PAINT_VERSION = 1
"""Raised when the same recipe paints another picture than before: all keys then change."""

BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)
"""What reading a damaged file of JSON may raise, which may come from a stranger."""

KEY = re.compile(r"[0-9a-f]{32}")
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True)
class Task:
    """What one worker paints at a time. All that travels to a worker is this.

    Attributes:
        key: 32 hexadecimal digits that follow from all that the picture depends on.
        command: ``draw``, ``film`` or another command that makes pictures.
        options: the recipe's options under their long names.
        axes: those of them that differ within the album, as they were typed: ``{"class": "lion"}``.
        caption: says in a few words which picture of the album this is.
        suffix: of the file, with its dot.
        files: SHA-256 of the input files, by the names that the options have for them.
        net: fingerprint of the net's weights; empty if no net is known beforehand.
        masks: the masks that the options name by hash, as a recipe holds them.
    """

    key: str
    command: str
    options: Mapping[str, Any]
    axes: Mapping[str, Any] = field(default_factory=dict)
    caption: str = ""
    suffix: str = ".png"
    files: Mapping[str, str] = field(default_factory=dict)
    net: str = ""
    masks: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would lead out of the store: a manifest may come from a stranger."""
        if not KEY.fullmatch(self.key) or not SUFFIX.fullmatch(self.suffix):
            raise ValueError(f"{self.key!r} and {self.suffix!r} name no file")
        tables = (self.options, self.axes, self.files, self.masks)
        if not all(isinstance(each, Mapping) for each in tables):
            raise ValueError("options, axes, files and masks are tables")
        texts = (self.command, self.caption, self.net, *self.files.values(), *self.masks.values())
        if not all(isinstance(each, str) for each in texts):
            raise ValueError("command, caption, net, hashes and masks are texts")

    @property
    def recipe(self) -> Recipe:
        """How the picture is made."""
        return Recipe(self.command, self.options, {}, self.masks)

    @property
    def name(self) -> str:
        """The name of the picture's file in the store."""
        return f"files/{self.key[:2]}/{self.key}{self.suffix}"

    @property
    def done_name(self) -> str:
        """The name of the record that is written after the picture."""
        return f"done/{self.key[:2]}/{self.key}.json"

    def line(self) -> bytes:
        """The task as a line of JSON."""
        held = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(held).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes | str) -> Task:
        """Read a task from its line.

        Raises:
            LucidError: the line holds none.
        """
        try:
            return cls(**json.loads(line))
        except BROKEN as error:
            raise LucidError(f"manifest.jsonl: a line is no task ({error})") from error


def task_key(
    command: str,
    options: Mapping[str, Any],
    net: str,
    masks: Mapping[str, str],
    suffix: str = ".png",
) -> str:
    """Hash what a picture depends on, but for the kind of processor and the number of threads.

    Args:
        command: that makes it.
        options: whose values are not the defaults, with hashes of files in place of names.
        net: fingerprint of the net's weights.
        masks: the masks that the options name by hash.
        suffix: of the file.

    Returns:
        32 hexadecimal digits.
    """
    content = [PAINT_VERSION, command, options, net, masks, suffix]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
