"""``lucid classify``: what a net sees in an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import COUNT, FILE
from lucid.cli.console import echo
from lucid.cli.files import resolve_stdin
from lucid.cli.hints import check_order
from lucid.cli.options import NetArguments, argument, option, takes
from lucid.cli.sections import SectionedCommand


@dataclass(frozen=True, kw_only=True)
class ClassifyArguments(NetArguments):
    """Arguments of ``lucid classify``."""

    net: str = argument(shell_complete=completers.nets)
    number: int = option("Number of classes to print.", "-n", "--number", type=COUNT, default=5)
    image: Path | None = argument(type=FILE, required=False, metavar="IMAGE")


@click.command(cls=SectionedCommand)
@takes(ClassifyArguments)
def classify(arguments: ClassifyArguments) -> None:
    """Print what NET sees in IMAGE: the most likely classes."""
    import torch

    from lucid.imaging.io import center_crop_resize, read_image
    from lucid.nets.registry import load

    image = arguments.image
    if image is None:
        is_picture = Path(arguments.net).is_file() and Path(arguments.net).suffix != ".cfg"
        what = "a picture, and no net stands before" if is_picture else "a net without a picture"
        raise click.UsageError(f"{arguments.net} is {what}: lucid classify lucid64 photo.jpg")
    check_order(arguments.net, image, "lucid classify NET IMAGE")
    picture = read_image(resolve_stdin(image))
    net = load(arguments.net, arguments.weights, arguments.names)
    net.require_classes()
    with torch.no_grad():
        probabilities = net.probabilities(center_crop_resize(picture, net.input_size)[None])[0]
    likely = probabilities.topk(min(arguments.number, len(probabilities)))
    for probability, number in zip(*likely, strict=True):
        echo(f"{probability:6.1%}  {net.classes[int(number)]} ({int(number)})")
