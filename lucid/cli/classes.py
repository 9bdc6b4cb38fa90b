from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.options import FILE


@click.command()
@click.argument("net", shell_complete=completers.nets)
@click.argument("search", required=False, default="", shell_complete=completers.classes)
@click.option("--names", type=FILE, help="The net's class names, one a line.")
def classes(net: str, search: str, names: Path | None) -> None:
    """List the classes of NET, all or those with SEARCH in their names.

    They are what `lucid draw --class` takes, by name or by number.
    """
    from lucid.errors import nearest
    from lucid.nets.registry import load_meta

    outline = load_meta(net, names=names)
    outline.require_classes()
    found = [
        (number, name)
        for number, name in enumerate(outline.classes)
        if search.casefold() in name.casefold()
    ]
    if not found:
        outline.require_names()
        near = nearest(search, outline.classes)
        raise click.UsageError(f"{outline.name} has no class with {search!r} in its name{near}")
    for number, name in found:
        click.echo(f"{number:>5}  {name}")
