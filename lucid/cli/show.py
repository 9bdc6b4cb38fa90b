from __future__ import annotations

from pathlib import Path

import click

from lucid.cli.options import FILE, resolve_stdin


@click.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="As JSON in place of TOML.")
def show(file: Path, as_json: bool) -> None:
    """Say how FILE was made: the recipe that a picture or film of lucid's carries.

    \b
    lucid show goldfish_0000.png
    lucid show goldfish_0000.png > goldfish.toml    to change, and `lucid run`
    """
    from lucid.imaging import recipes

    recipe = recipes.read(resolve_stdin(file))
    click.echo(recipe.json() if as_json else recipe.toml().rstrip())
