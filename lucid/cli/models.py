"""``lucid models``: list the nets."""

from __future__ import annotations

import click

from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand)
def models() -> None:
    """List the nets by name, with the file of their weights or how to get them."""
    from lucid.nets.registry import PUBLISHED_NAMES, local_weights
    from lucid.nets.torchvision import model_names, size_megabytes
    from lucid.resources import bundled

    names = model_names()
    echo("Darknet, bundled as cfg files (write NAME.cfg where torchvision has the name too):")
    for name in bundled():
        shown = f"{name}.cfg" if name in names else name
        hint = f"`lucid weights {name}`" if name in PUBLISHED_NAMES else "--weights FILE"
        echo(f"  {shown:<20} {local_weights(f'{name}.cfg') or hint}")
    echo("")
    echo("torchvision:")
    for name in names:
        hint = f"{size_megabytes(name):.1f} MB, downloaded when used"
        echo(f"  {name:<20} {local_weights(name) or hint}")
