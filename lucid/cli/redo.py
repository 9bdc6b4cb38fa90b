"""``lucid redo``: make a picture or film again from the recipe that it carries."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path

import click

from lucid.cli.click_types import FILE
from lucid.cli.files import reserve_numbered
from lucid.cli.run import FOLLOWED, PASS_ON, changed_parameters, follow, recipe_command
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand, context_settings=PASS_ON)
@click.argument("file", type=FILE)
@click.argument("changes", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def redo(context: click.Context, file: Path, changes: tuple[str, ...]) -> None:
    """Make FILE again from the recipe that it carries, with changes if you like.

    \b
    lucid redo goldfish_0000.png
    lucid redo goldfish_0000.png --size 1024x1024 --seed 7 -o large.png
    lucid redo dream.gif other.jpg

    The same device and versions give the same bytes; lucid prints what differs from then. FILE
    is kept: without -o the new file gets a number.
    """
    from lucid.imaging import recipes

    file = file.resolve().parent if file.name == recipes.FILM_RECIPE else file
    recipe = recipes.read(file)
    if recipe.command in FOLLOWED:
        command = recipe_command(context, recipe)
        changed = changed_parameters(command, changes)
        bases = changed.get("base", ())
        # Several bases become several pictures, which get numbers of their own.
        single = isinstance(bases, Sized) and len(bases) < 2
        stem = f"{file.resolve().name.partition('.')[0]}_redo"
        for name, option in (("prefix", "--prefix"), ("output", "-o")):
            if "output" in changed or (name == "output" and recipe.command == "nightmare"):
                continue
            if single and name not in changed and name in {each.name for each in command.params}:
                suffix = "" if name == "prefix" else _suffix(file, recipe.command)
                target = reserve_numbered(stem, file.parent, suffix)
                changes = (option, str(target), *changes)
    follow(context, recipe, file, changes)


def _suffix(file: Path, command: str) -> str:
    """Return the suffix of a new file like this one; empty for a folder of frames."""
    from lucid.imaging.video import WRITABLE_SUFFIXES

    if file.suffix in (".json", ".toml"):
        file = file.with_suffix("")
    if command == "film":
        return file.suffix if file.suffix.lower() in WRITABLE_SUFFIXES else ""
    return file.suffix or ".png"
