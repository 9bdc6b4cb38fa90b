"""Folders of frames: what may be replaced there, and where an unfinished film goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lucid.cli import files
from lucid.errors import LucidError
from lucid.imaging import recipes
from lucid.imaging.metadata import read_metadata
from lucid.imaging.output_paths import exists
from lucid.imaging.recipes import FILM_RECIPE, Recipe
from lucid.imaging.video import Frames

SHEET = "preview.png"
"""File in a folder of frames that shows those so far."""


def empty_folder(folder: Path, force: bool) -> Frames:
    """Make a folder without frames; refuse to remove any without --force."""
    files.make_folder(folder)
    there = _frame_files(folder)
    there += [path for path in (folder / SHEET, folder / FILM_RECIPE) if exists(path)]
    if there and not force:
        raise click.UsageError(f"{there[0]} exists: --resume goes on, --force begins anew")
    _delete_own(there)
    return Frames(folder)


def unfinished(folder: Path) -> Frames:
    """The frames of a film to resume, up to the first gap; those behind that are deleted."""
    frames = Frames(folder)
    _delete_own([path for path in _frame_files(folder) if path not in frames.files])
    return frames


def _frame_files(folder: Path) -> list[Path]:
    """List the files in a folder that have names of frames."""
    numbered = folder.glob("frame_??????.png")
    return sorted(path for path in numbered if path.stem[6:].isdecimal())


def _delete_own(paths: Sequence[Path]) -> None:
    """Delete files, all of which must have been made by lucid."""
    for path in paths:
        if not _is_own(path):
            raise click.UsageError(
                f"{path}: was not made by lucid, and is not replaced: move it, or give another -o"
            )
    for path in paths:
        path.unlink()


def _is_own(path: Path) -> bool:
    """Tell whether lucid made a file: it holds lucid's text, or lies beside a film's recipe."""
    try:
        if path.name == SHEET and (path.parent / FILM_RECIPE).is_file():
            path = path.parent / FILM_RECIPE  # until version 0.2, sheets held no text
        if path.name == FILM_RECIPE:
            return recipes.read(path).command == "film"
        return read_metadata(path) is not None
    except LucidError:
        return False


def resumed_recipe(folder: Path, seed: int | None) -> Recipe:
    """Read the recipe that the film to resume was begun with."""
    if not (folder / FILM_RECIPE).is_file():
        raise click.UsageError(f"{folder} holds nothing to resume: leave --resume out")
    before = recipes.read(folder / FILM_RECIPE)
    kept = before.options.get("seed")
    if type(kept) is not int:
        raise click.UsageError(f"{folder} holds no film that was cut short: leave --resume out")
    if seed not in (None, kept):
        raise click.UsageError(f"{folder} was begun with seed {kept}, not {seed}")
    return before
