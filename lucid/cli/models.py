from __future__ import annotations

import click


@click.command()
def models() -> None:
    """List the nets that can be named, and whether their weights are at hand."""
    from lucid.nets.registry import PUBLISHED_NAMES, local_weights
    from lucid.nets.torchvision import model_names, size_megabytes
    from lucid.resources import bundled

    click.echo("Darknet, bundled as cfg files (say NAME.cfg where torchvision has the name too):")
    for name in bundled():
        shown = f"{name}.cfg" if name in model_names() else name
        hint = f"`lucid weights {name}`" if name in PUBLISHED_NAMES else "--weights FILE"
        click.echo(f"  {shown:<20} {local_weights(f'{name}.cfg') or hint}")
    click.echo("\ntorchvision:")
    for name in model_names():
        hint = f"{size_megabytes(name):.1f} MB, downloaded when used"
        click.echo(f"  {name:<20} {local_weights(name) or hint}")
