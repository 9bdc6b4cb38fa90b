from __future__ import annotations

import click


@click.command()
def models() -> None:
    """List the nets that can be named, and whether their weights are at hand."""
    from lucid import nets

    click.echo("Darknet, bundled as cfg files (say NAME.cfg where torchvision has the name too):")
    for name in nets.bundled():
        shown = f"{name}.cfg" if name in nets.zoo.names() else name
        hint = f"`lucid weights {name}`" if name in nets.PUBLISHED_NAMES else "--weights FILE"
        click.echo(f"  {shown:<20} {nets.weights_at_hand(f'{name}.cfg') or hint}")
    click.echo("\ntorchvision:")
    for name in nets.zoo.names():
        hint = f"{nets.zoo.megabytes(name):.1f} MB, downloaded when used"
        click.echo(f"  {name:<20} {nets.weights_at_hand(name) or hint}")
