from __future__ import annotations

from pathlib import Path

import click

from lucid.cli.common import FILE


@click.command()
@click.argument("net")
@click.argument("search", required=False, default="")
@click.option("--names", type=FILE, help="The net's class names, one a line.")
def classes(net: str, search: str, names: Path | None) -> None:
    """List the classes of NET, all or those with SEARCH in their names.

    They are what `lucid draw --class` takes, by name or by number.
    """
    from lucid import nets

    outline = nets.outline(net, names=names)
    if not outline.classes:
        raise click.UsageError(f"{outline.name} has no classes: it can climb only its layers")
    found = [
        (number, name)
        for number, name in enumerate(outline.classes)
        if search.casefold() in name.casefold()
    ]
    if not found and outline.classes[0] == "0":
        raise click.UsageError(f"{outline.name}'s classes have only numbers here: --names FILE?")
    if not found:
        near = nets.nearest(search, outline.classes)
        raise click.UsageError(f"{outline.name} has no class with {search!r} in its name{near}")
    for number, name in found:
        click.echo(f"{number:>5}  {name}")
