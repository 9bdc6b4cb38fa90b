"""``lucid convert``: write weights in another program's form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import FILE
from lucid.cli.console import echo
from lucid.cli.files import refuse_overwrite, reserve_output
from lucid.cli.options import NetArguments, argument, flag, takes
from lucid.cli.sections import SectionedCommand


@dataclass(frozen=True, kw_only=True)
class ConvertArguments(NetArguments):
    """Arguments of ``lucid convert``."""

    net: str = argument(shell_complete=completers.nets)
    output: Path = argument(type=FILE)
    force: bool = flag("Overwrite the output if it exists.")


@click.command(cls=SectionedCommand)
@takes(ConvertArguments)
def convert(arguments: ConvertArguments) -> None:
    """Write NET's weights as OUTPUT, in the form that its suffix says.

    \b
    lucid convert vgg16 vgg-conv.weights     for Darknet's cfg of that name
    lucid convert vgg16 my-vgg.weights       with a cfg and names beside it
    lucid convert darknet19.cfg d19.pth      a state dict, for PyTorch

    torchvision's chains of layers (AlexNet and the VGGs) become Darknet nets,
    Darknet nets become state dicts (.pth, .safetensors).
    """
    from lucid.imaging.files import check_path
    from lucid.nets.darknet import convert as conversion
    from lucid.nets.registry import load, load_meta

    files = (arguments.net, arguments.weights, arguments.names)
    written = conversion.plan(load_meta(*files), arguments.output)
    for path in written:
        check_path(path)
        reserve_output(path)
    refuse_overwrite(written, arguments.force)
    written = conversion.write(load(*files), arguments.output, replace=arguments.force)
    echo(f"wrote {', '.join(map(str, written))}")
