from __future__ import annotations

from pathlib import Path

import click

from lucid.cli.common import FILE
from lucid.cli.run import CHANGES, FOLLOWED, changed, command_of, follow


@click.command(context_settings=CHANGES)
@click.argument("file", type=FILE)
@click.argument("changes", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def redo(context: click.Context, file: Path, changes: tuple[str, ...]) -> None:
    """Make FILE again from the recipe that it carries, with changes if you like.

    \b
    lucid redo goldfish_0000.png
    lucid redo goldfish_0000.png --size 1024x1024 --seed 7 -o large.png
    lucid redo dream.gif other.jpg

    On the same device with the same versions it gives the same bytes; what is not as it was,
    it says. FILE itself stays: without -o the new one has a number of its own.
    """
    from lucid import images, recipes

    recipe = recipes.read(file)
    if recipe.command in FOLLOWED:
        command = command_of(context, recipe)
        given = changed(command, changes)
        parameters = {each.name for each in command.params}
        stem = f"{file.name.partition('.')[0]}_redo"
        if "output" in parameters - given:
            ending = "" if file.is_dir() else "".join(file.suffixes[-1:])
            if ending in (".json", ".toml"):
                ending = "".join(file.with_suffix("").suffixes[-1:])
            if ending or file.is_dir():
                changes = ("-o", str(images.numbered(stem, file.parent, ending)), *changes)
        if "prefix" in parameters - given:
            changes = ("--prefix", str(images.numbered(stem, file.parent, "")), *changes)
    follow(context, recipe, file, changes)
