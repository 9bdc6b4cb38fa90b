from __future__ import annotations

import click


@click.command()
def models() -> None:
    """List the nets that can be named, and whether their weights are at hand."""
    from pathlib import Path

    import torch
    from torchvision.models import get_model_weights

    from lucid import nets
    from lucid.nets import zoo

    click.echo("Darknet, bundled as cfg files (give NAME.cfg where torchvision has the name too):")
    for name, cfg in nets.bundled().items():
        shown = f"{name}.cfg" if name in zoo.names() else name
        places = (cfg.with_suffix(".weights"), nets.cache_folder() / f"{name}.weights")
        here = next((str(place) for place in places if place.exists()), "")
        hint = f"`lucid weights {name}`" if name in nets.PUBLISHED_NAMES else "--weights FILE"
        click.echo(f"  {shown:<20} {here or hint}")
    click.echo("\ntorchvision:")
    checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
    for name in zoo.names():
        weights = get_model_weights(name).DEFAULT
        here = "in the cache" if (checkpoints / Path(weights.url).name).exists() else "downloaded"
        size = weights.meta["_file_size"]
        click.echo(f"  {name:<20} {size:>7.1f} MB, {here}{'' if here[0] == 'i' else ' when used'}")
