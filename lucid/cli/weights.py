"""``lucid weights``: download the weights of a net."""

from __future__ import annotations

import click

from lucid.cli import completers
from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand)
@click.argument("net", shell_complete=completers.nets)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def weights(net: str, quiet: bool) -> None:
    """Download the published weights of NET into the cache.

    NET is a bundled Darknet cfg or a name of torchvision's. torchvision's weights are checked by
    their published hash, Darknet's, which have none, by their length.
    """
    from lucid.imaging.recipes import sha256_file
    from lucid.nets.registry import download

    path = download(net, progress=not quiet)
    if not quiet:
        if path is None:
            echo(f"{net}: torchvision has them, and has checked their hash")
            return
        echo(f"{net}: its weights are at {path}")
        echo(f"SHA-256 {sha256_file(path)}; nobody publishes one to compare it with")
