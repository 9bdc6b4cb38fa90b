from __future__ import annotations

from pathlib import Path

import click

from lucid.cli.options import FILE
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
    from lucid.imaging import recipes
    from lucid.imaging.files import next_free_path

    file = file.resolve().parent if file.name == recipes.FILM_RECIPE else file
    recipe = recipes.read(file)
    if recipe.command in FOLLOWED:
        command = command_of(context, recipe)
        typed = changed(command, changes)
        # What belongs to a file beside it is called after it.
        stem = f"{file.resolve().name.partition('.')[0]}_redo"
        for name, option in (("output", "-o"), ("prefix", "--prefix")):
            known = any(each.name == name for each in command.params)
            # Several bases become several pictures, and get numbers themselves.
            if known and name not in typed and len(typed.get("base", ())) < 2:
                ending = "" if name == "prefix" else _ending(file, recipe.command)
                target = next_free_path(stem, file.parent, ending)
                changes = (option, str(target), *changes)
    follow(context, recipe, file, changes)


def _ending(file: Path, command: str) -> str:
    """What the name of a file's like ends in; nothing for a folder of frames."""
    from lucid.imaging.video import WRITABLE_SUFFIXES

    if file.suffix in (".json", ".toml"):
        file = file.with_suffix("")
    if command == "film":
        return file.suffix if file.suffix.lower() in WRITABLE_SUFFIXES else ""
    return file.suffix or ".png"
