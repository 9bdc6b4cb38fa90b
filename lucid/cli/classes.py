"""``lucid classes``: list the classes of a net."""

from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import FILE
from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand)
@click.argument("net", shell_complete=completers.nets)
@click.argument("search", required=False, default="", shell_complete=completers.classes)
@click.option("--names", type=FILE, help="File of the net's class names, one a line.")
def classes(net: str, search: str, names: Path | None) -> None:
    """List the classes of NET: all, or those with SEARCH in their names.

    `lucid draw --class` takes them by name or by number.
    """
    from lucid.nets.class_names import suggest_classes
    from lucid.nets.registry import load_meta

    meta = load_meta(net, names=names)
    meta.require_classes()
    found = [
        (number, name)
        for number, name in enumerate(meta.classes)
        if search.casefold() in name.casefold()
    ]
    if not found:
        meta.require_names()
        near = suggest_classes(search, meta.classes)
        raise click.UsageError(f"{meta.name} has no class with {search!r} in its name{near}")
    for number, name in found:
        echo(f"{number:>5}  {name}")
