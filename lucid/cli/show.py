"""``lucid show``: print the recipe that a picture or film carries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from lucid.cli.click_types import FILE
from lucid.cli.files import resolve_stdin
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand)
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
@click.pass_context
def show(context: click.Context, file: Path, as_json: bool) -> None:
    """Print how FILE was made: the recipe that lucid keeps in its pictures and films.

    Lines that run code, say where to write, or name files elsewhere are printed as comments.

    \b
    lucid show goldfish_0000.png
    lucid show goldfish_0000.png > goldfish.toml    to change it, and `lucid run` it
    """
    from lucid.cli.recipe_args import untrusted_options
    from lucid.imaging import recipes

    file = resolve_stdin(file)
    recipe = recipes.read(file)
    command = context.find_root().command
    assert isinstance(command, click.Group)
    known = command.commands.get(recipe.command)
    # What a stranger's picture says must not be obeyed when it is saved as a recipe and followed.
    hidden = untrusted_options(recipe, known) if known and file.suffix != ".toml" else []
    if as_json:
        options = {name: each for name, each in recipe.options.items() if name not in hidden}
        click.echo(replace(recipe, options=options).json())
    else:
        click.echo(recipe.toml(commented_out=hidden).rstrip())
