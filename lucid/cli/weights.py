from __future__ import annotations

import click

from lucid.cli import completers


@click.command()
@click.argument("net", shell_complete=completers.nets)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def weights(net: str, quiet: bool) -> None:
    """Fetch the published weights of NET into the cache.

    Darknet's for a bundled cfg, torchvision's for a torchvision name.
    """
    from lucid.nets.registry import download

    path = download(net, progress=not quiet)
    if not quiet:
        click.echo(f"{net}: its weights are at {path}" if path else f"{net}: torchvision has them")
