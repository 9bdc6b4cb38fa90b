from __future__ import annotations

import click


@click.command()
@click.argument("net")
def layers(net: str) -> None:
    """List the layers of NET: name, kind, and output at its own input size.

    The names are what `lucid nightmare` takes as LAYER. No weights are needed.
    """
    from lucid import nets

    for name, kind, shape in nets.outline(net).describe():
        click.echo(f"{name:<32} {kind:<20} {'x'.join(map(str, shape))}")
