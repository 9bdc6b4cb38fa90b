"""Recipes: how an image was made, stored in the image file or in a JSON file beside it.

A recipe is a TOML text: ``command``, the name of a lucid command; the command's options under
their long names; and a table ``made`` of everything else that the result depends on. The text
is stored as a PNG text chunk, an EXIF user comment, a GIF comment or an MP4 comment
(``lucid.imaging.metadata``). Films, and image files that hold no text, have the same content as
JSON in a second file, the sidecar.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import math
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from lucid.errors import LucidError, UsageError
from lucid.imaging.files import atomic_write
from lucid.imaging.metadata import METADATA_SUFFIXES, read_metadata
from lucid.imaging.output_paths import exists
from lucid.reading import MAX_BYTES, parse_table, read_text

FILM_RECIPE = "film.json"
"""File name of the recipe in a folder of frames."""

MAX_LENGTH = 65_000
"""Characters of the longest recipe that fits into the EXIF segment of a JPEG file."""

INFO = "lucid"
"""The key of ``picture.info`` that holds a recipe's text."""

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow")
"""Packages whose versions may change the bytes of a result."""


@dataclass(frozen=True)
class Recipe:
    """The command and options that make an image or a film.

    Attributes:
        command: the name of a lucid command.
        options: the command's options and arguments under their long names without dashes;
            values are strings, numbers, booleans, or lists of these.
        made: what else the result depends on: versions, device, SHA-256 of the net's weights
            and of the input files. Not needed to follow the recipe.
        masks: the masks that the options name by hash (``lucid.imaging.recipe_masks``), each in
            base64.
    """

    command: str
    options: Mapping[str, Any]
    made: Mapping[str, Any] = field(default_factory=dict)
    masks: Mapping[str, str] = field(default_factory=dict)

    def toml(self, commented_out: Collection[str] = ()) -> str:
        """Format the recipe as TOML, in ASCII, which every metadata format stores unchanged.

        Args:
            commented_out: names of options that are written as comments.
        """
        options = _toml_lines(self.options)
        lines = [f"command = {_toml_value(self.command)}"]
        for name, line in zip(self.options, options, strict=True):
            lines.append(f"# {line}" if name in commented_out else line)
        if self.made:
            tables = {name: each for name, each in self.made.items() if isinstance(each, Mapping)}
            values = {name: each for name, each in self.made.items() if name not in tables}
            lines += ["", "[made]", *_toml_lines(values)]
            for name, table in tables.items():
                lines += ["", f"[made.{_toml_key(name)}]", *_toml_lines(table)]
        if self.masks:
            lines += ["", "[masks]", *_toml_lines(self.masks)]
        return "\n".join(lines) + "\n"

    def json(self) -> str:
        """Format the recipe as JSON, with the same keys as in TOML."""
        masks = {"masks": self.masks} if self.masks else {}
        content = {"command": self.command, **self.options, "made": self.made, **masks}
        return json.dumps(content, indent=1)

    def command_line(self, arguments: Collection[str] = ("base", "file", "words")) -> str:
        """How a POSIX shell is told to make the image, word by word.

        Args:
            arguments: names of options that are typed without their names.
        """
        words, last = ["lucid", self.command], []
        for name, value in self.options.items():
            listed = value if isinstance(value, list) else [value]
            if name in arguments:
                last += [str(each) for each in listed]
            elif isinstance(value, bool):
                words += [f"--{name}"] * value
            else:
                for each in listed:
                    parts = each if isinstance(each, list) else [each]
                    words += [f"--{name}", *map(str, parts)]
        dashed = any(word.startswith("-") for word in last)
        return shlex.join([*words, *(["--"] if dashed else []), *last])

    def differences(self, before: Recipe) -> list[str]:
        """Describe in phrases how versions, device, weights and input files differ from before."""
        found = [
            f"{name} is {self.made[name]} and was {before.made[name]}"
            for name in ("lucid", "torch", "device", "threads")
            if self.made.get(name) and before.made.get(name, self.made[name]) != self.made[name]
        ]
        same_net = self.made.get("net") == before.made.get("net")
        if same_net and self.made.get("weights") != before.made.get("weights"):
            found.append("the net has other weights")
        if "passes" in before.made and "passes" not in self.made:
            found.append(f"that was after {before.made['passes']} passes, this is whole")
        old = before.made.get("files", {})
        # The same file may have another path now: compare by file name if the path is new.
        old = {Path(path).name: digest for path, digest in old.items()} | old
        for path, digest in self.made.get("files", {}).items():
            if old.get(path, old.get(Path(path).name, digest)) != digest:
                found.append(f"{path} is another file now")
        return found


def format_toml(content: Mapping[str, Any]) -> str:
    """Format a table as TOML, in ASCII: its values, then its tables and lists of tables."""
    tables = {name: each for name, each in content.items() if isinstance(each, Mapping)}
    lists = {name: each for name, each in content.items() if _holds_tables(each)}
    values = {name: each for name, each in content.items() if name not in {**tables, **lists}}
    lines = [*_toml_lines(values)]
    for name, table in tables.items():
        lines += ["", f"[{_toml_key(name)}]", *_toml_lines(table)]
    for name, listed in lists.items():
        for table in listed:
            lines += ["", f"[[{_toml_key(name)}]]", *_toml_lines(table)]
    return "\n".join(lines) + "\n"


def _holds_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, Mapping) for e in value)


def _toml_lines(table: Mapping[str, Any]) -> Iterable[str]:
    return (f"{_toml_key(name)} = {_toml_value(value)}" for name, value in table.items())


def _toml_key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "a").replace("_", "a").isalnum()
    return name if bare else _toml_value(name)


def _toml_value(value: Any) -> str:
    """Format a value as TOML, whose strings, numbers and lists are written as in JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    # File names may hold bytes that are not valid text; these are replaced by "?".
    text = text.encode(errors="replace").decode()
    return "".join(char if char.isascii() else f"\\U{ord(char):08x}" for char in text)


def parse(text: str, where: Path | str) -> Recipe:
    """Parse a recipe: TOML, or JSON if the text begins with a brace; errors name ``where``.

    Version 0.1's key ``made.manner`` is renamed to ``made.config``.
    """
    content = parse_table(text, where, as_json=text.lstrip().startswith("{"))
    command, made = content.pop("command", None), content.pop("made", {})
    masks = content.pop("masks", {})
    if not isinstance(command, str) or not isinstance(made, dict):
        raise LucidError(f'{where}: a recipe says what to run: command = "draw"')
    for name, value in content.items():
        if not _is_option_value(value):
            raise LucidError(f"{where}: {name} is no text, number, true, false or list of these")
    if not isinstance(made.get("files", {}), dict):
        raise LucidError(f"{where}: made.files is no table")
    if not isinstance(masks, dict) or not all(isinstance(each, str) for each in masks.values()):
        raise LucidError(f"{where}: masks is no table of texts")
    if "manner" in made:
        made["config"] = made.pop("manner")
    return Recipe(command, content, made, masks)


def _is_option_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_option_value, value))
    return isinstance(value, (str, int, float))


def read(path: str | Path) -> Recipe:
    """Read the recipe of an image, a film or a folder of frames, or a recipe file.

    Args:
        path: an image or video file, a folder of frames, or a ``.toml`` or ``.json`` file. If
            an image or video holds no recipe, its sidecar is read.

    Raises:
        LucidError: no recipe is found, or the recipe cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() in (".toml", ".json"):
        return parse(read_text(path), path)
    metadata = read_metadata(path) if path.suffix.lower() in METADATA_SUFFIXES else None
    # Other programs store texts of their own in the same place.
    if metadata and metadata.startswith("command = "):
        return parse(metadata, path)
    sidecar = sidecar_path(path)
    if sidecar.is_file():
        return parse(read_text(sidecar), sidecar)
    reason = "" if path.exists() else " (there is no such file)"
    raise LucidError(f"{path}: holds no recipe of lucid's{reason}")


def write_picture(
    image: Image.Image, path: Path, recipe: Recipe | None, *, replace: bool = True
) -> None:
    """Write an image file with its recipe, or with a sidecar if the file cannot hold the recipe.

    Args:
        image: an image in a mode that the format holds.
        path: the file to write; its suffix is in ``lucid.imaging.files.FORMATS``.
        recipe: how the image was made; None to tell nobody.
        replace: whether to replace an existing file (see ``lucid.imaging.files.atomic_write``).

    Raises:
        LucidError: the files cannot be written.
    """
    from lucid.imaging.io import write_image  # torch takes long to import, and reading needs none

    if recipe is None:
        write_image(image, path, replace=replace)
        return
    text = recipe.toml()
    most = MAX_BYTES if path.suffix.lower() == ".png" else MAX_LENGTH
    fits = path.suffix.lower() in METADATA_SUFFIXES and len(text) < most
    write_image(image, path, text if fits else "", replace=replace)
    if not fits:
        write_sidecar(recipe, path, replace=replace)


def with_recipe(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """Let a picture carry a recipe, for ``lucid.save``."""
    picture.info[INFO] = recipe.toml()
    return picture


def save(picture: Image.Image, path: str | Path, *, replace: bool = True) -> None:
    """Write a picture to a file, with the recipe that it carries, if it does.

    ``lucid show FILE`` prints the recipe, and ``lucid redo FILE`` follows it.

    Args:
        picture: what ``lucid.draw`` and the like return; also any other Pillow image.
        path: the file to write: .png, .jpg, .webp, .tiff, …
        replace: whether to replace an existing file.

    Raises:
        UsageError: the suffix is unknown, or the picture does not suit it.
        LucidError: the file cannot be written, or it exists and is not to be replaced.

    >>> import lucid
    >>> picture = lucid.draw("lucid64", "goldfish", size=48, iterations=1)
    >>> print(picture.info["lucid"].splitlines()[1])
    class = ["goldfish"]
    """
    if not isinstance(picture, Image.Image):
        raise UsageError(f"a Pillow image can be saved, not a {type(picture).__name__}")
    if not replace and exists(Path(path)):
        raise LucidError(f"{path} exists: give another name, or replace=True")
    text = picture.info.get(INFO)
    recipe = parse(text, path) if isinstance(text, str) else None
    write_picture(picture, Path(path), recipe, replace=replace)


def output_files(path: Path) -> list[Path]:
    """List the files that ``write_picture`` writes for a recipe shorter than ``MAX_LENGTH``."""
    return [path] if path.suffix.lower() in METADATA_SUFFIXES else [path, sidecar_path(path)]


def write_sidecar(recipe: Recipe, path: Path, *, replace: bool = True) -> None:
    """Write a recipe as a JSON file beside an image or film, or into a folder of frames."""
    with atomic_write(sidecar_path(path), replace=replace) as part:
        part.write_text(recipe.json() + "\n", encoding="utf-8")


def sidecar_path(path: Path) -> Path:
    """Return the path of the JSON file that holds the recipe of an image, film or folder of frames.

    A path without a suffix is a folder. The path of the recipe inside a folder stays as it is.
    """
    if path.name == FILM_RECIPE:
        return path
    return path.with_name(f"{path.name}.json") if path.suffix else path / FILM_RECIPE


def versions() -> dict[str, str]:
    """Return the versions of lucid and of the packages that may change the bytes of a result."""
    from lucid import __version__

    return {"lucid": __version__, **_package_versions()}


@functools.cache
def _package_versions() -> dict[str, str]:
    """The versions of ``PACKAGES``, whose metadata takes 20 ms to read."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
