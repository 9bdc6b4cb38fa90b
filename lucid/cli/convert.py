from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.options import FILE, net_files


@click.command()
@click.argument("net", shell_complete=completers.nets)
@click.argument("output", type=FILE)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@net_files
def convert(net: str, output: Path, force: bool, weights: Path | None, names: Path | None) -> None:
    """Write NET's weights as OUTPUT, in the form that its ending says.

    \b
    lucid convert vgg16 vgg-conv.weights     for Darknet's cfg of that name
    lucid convert vgg16 my-vgg.weights       with a cfg and names beside it
    lucid convert darknet19.cfg d19.pth      a state dict, for PyTorch

    torchvision's chains of layers (AlexNet and the VGGs) become Darknet nets,
    Darknet nets become state dicts (.pth, .safetensors).
    """
    from lucid.nets.darknet import convert as conversion
    from lucid.nets.registry import load, load_meta

    for path in conversion.plan(load_meta(net, weights, names), output):
        if path.exists() and not force:
            raise click.UsageError(f"{path} exists: give --force to overwrite it")
    written = conversion.write(load(net, weights, names), output)
    click.echo(f"wrote {', '.join(map(str, written))}")
