"""How a picture was made: kept in the picture itself, or in a file beside it.

A recipe is a TOML text: ``command``, one of lucid's; its options by their long names;
and a table ``made`` of what the result depended on besides. It stands in PNG's text
chunks under ``lucid``, in EXIF's user comment, in a GIF's comment, as an MP4's comment;
a film has it as JSON beside it, and so has what can hold no text.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from lucid.errors import LucidError
from lucid.imaging.files import atomic_write
from lucid.imaging.io import write_image
from lucid.imaging.metadata import NOTED, read_metadata

FILM_NOTE = "film.json"
"""The recipe of a folder of frames."""

LONGEST = 65_000
"""Letters that a note in JPEG may have."""

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow")
"""Whose versions a picture's bytes may depend on."""


@dataclass(frozen=True)
class Recipe:
    """How to make a picture.

    Attributes:
        command: which of lucid's.
        options: its options, and its arguments, by their long names without dashes: text,
            numbers, true, or lists of these.
        made: what the result depended on besides: versions, device, the hashes of the net's
            weights and of the files that were read. Not needed to make it again.
    """

    command: str
    options: Mapping[str, Any]
    made: Mapping[str, Any] = field(default_factory=dict)

    def toml(self) -> str:
        """As TOML, in ASCII: no place where text is kept spoils that."""
        lines = [f"command = {_value(self.command)}", *_table(self.options)]
        if self.made:
            tables = {name: each for name, each in self.made.items() if isinstance(each, Mapping)}
            plain = {name: each for name, each in self.made.items() if name not in tables}
            lines += ["", "[made]", *_table(plain)]
            for name, table in tables.items():
                lines += ["", f"[made.{_key(name)}]", *_table(table)]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """As JSON, with the same words."""
        return json.dumps({"command": self.command, **self.options, "made": self.made}, indent=1)

    def differences(self, other: Recipe) -> list[str]:
        """What another one was made of that this one is not, each in a few words."""
        found = [
            f"{name} is {self.made[name]} and was {other.made[name]}"
            for name in ("lucid", "torch", "device", "threads")
            if self.made.get(name) and other.made.get(name, self.made[name]) != self.made[name]
        ]
        if self.made.get("net") == other.made.get("net"):
            found += ["the net has other weights"] * (
                self.made.get("weights") != other.made.get("weights")
            )
        if "passes" in other.made and "passes" not in self.made:
            found.append(f"that was after {other.made['passes']} passes, this is whole")
        files, before = self.made.get("files", {}), other.made.get("files", {})
        names = {Path(name).name: digest for name, digest in before.items()}
        return found + [
            f"{name} is another file now"
            for name, digest in files.items()
            # It may be found from elsewhere now.
            if before.get(name, names.get(Path(name).name, digest)) != digest
        ]


def _table(content: Mapping[str, Any]) -> Iterable[str]:
    return (f"{_key(name)} = {_value(value)}" for name, value in content.items())


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "a").replace("_", "a").isalnum()
    return name if bare else _value(name)


def _value(value: Any) -> str:
    """A value as TOML, which writes text, numbers and lists as JSON does."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    # What is no text in a file's name cannot be kept as such.
    text = text.encode(errors="replace").decode()
    return "".join(sign if sign.isascii() else f"\\U{ord(sign):08x}" for sign in text)


def parse(text: str, where: Path | str) -> Recipe:
    """A recipe as TOML or, if it begins with a brace, JSON.

    Args:
        text: of the recipe.
        where: it stands, for what is said of a fault.

    Raises:
        LucidError: it is neither, or no recipe.
    """
    try:
        content = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise LucidError(f"{where}: is no recipe ({error})") from error
    command, made = content.pop("command", None), content.pop("made", {})
    if not isinstance(command, str) or not isinstance(made, dict):
        raise LucidError(f'{where}: a recipe says what to run: command = "draw"')
    for name, value in content.items():
        if not _is_plain(value):
            raise LucidError(f"{where}: {name} is no text, number, true, false or list of these")
    if not isinstance(made.get("files", {}), dict):
        raise LucidError(f"{where}: made.files is no table")
    return Recipe(command, content, made)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, (str, int, float))


def read(path: str | Path) -> Recipe:
    """The recipe of a picture, of a film, of a folder of frames, or of a file of its own.

    Raises:
        LucidError: there is none, or it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() in (".toml", ".json"):
        return parse(_text(path), path)
    note = read_metadata(path) if path.suffix.lower() in NOTED else None
    # Other programs keep their own texts there.
    if note and note.startswith("command = "):
        return parse(note, path)
    beside = sidecar_path(path)
    if beside.is_file():
        return parse(_text(beside), beside)
    kind = "" if path.exists() else " (there is no such file)"
    raise LucidError(f"{path}: holds no recipe of lucid's{kind}")


def write_picture(image: Image.Image, path: Path, recipe: Recipe) -> None:
    """Write a picture with its recipe: in the file, or beside one that can hold no text.

    Raises:
        LucidError: it cannot be written.
    """
    note = recipe.toml()
    kept = path.suffix.lower() in NOTED and len(note) < LONGEST
    write_image(image, path, note if kept else "")
    if not kept:
        write_sidecar(recipe, path)


def output_files(path: Path) -> list[Path]:
    """What ``write_picture`` writes for a picture there, but for the longest of recipes."""
    return [path] if path.suffix.lower() in NOTED else [path, sidecar_path(path)]


def write_sidecar(recipe: Recipe, path: Path) -> Path:
    """Write a recipe as JSON beside a file, or into a folder of frames; says where.

    Raises:
        LucidError: it cannot be written.
    """
    target = sidecar_path(path)
    with atomic_write(target) as part:
        part.write_text(recipe.json() + "\n", encoding="utf-8")
    return target


def sidecar_path(path: Path) -> Path:
    """Where ``write_sidecar`` writes."""
    if path.name == FILM_NOTE:
        return path
    return path.with_name(f"{path.name}.json") if path.suffix else path / FILM_NOTE


def versions() -> dict[str, str]:
    """Of lucid and of the packages that a picture's bytes may depend on."""
    from lucid import __version__

    return {"lucid": __version__, **{name: importlib.metadata.version(name) for name in PACKAGES}}


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LucidError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LucidError(f"{path}: is no text") from error
