"""``lucid show``: print the recipe that a picture or film carries."""

from __future__ import annotations

from pathlib import Path

import click

from lucid.cli.click_types import FILE
from lucid.cli.files import resolve_stdin


@click.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
def show(file: Path, as_json: bool) -> None:
    """Print how FILE was made: the recipe that lucid keeps in its pictures and films.

    \b
    lucid show goldfish_0000.png
    lucid show goldfish_0000.png > goldfish.toml    to change it, and `lucid run` it
    """
    from lucid.imaging import recipes

    recipe = recipes.read(resolve_stdin(file))
    click.echo(recipe.json() if as_json else recipe.toml().rstrip())
