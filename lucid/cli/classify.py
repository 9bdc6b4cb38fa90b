from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.options import FILE, net_files, resolve_stdin


@click.command()
@click.argument("net", shell_complete=completers.nets)
@click.argument("image", type=FILE)
@net_files
def classify(net: str, image: Path, weights: Path | None, names: Path | None) -> None:
    """Say what NET sees in IMAGE: its five likeliest classes."""
    import torch

    from lucid.imaging.io import center_crop_resize, read_image
    from lucid.nets.registry import load

    picture = read_image(resolve_stdin(image))
    judge = load(net, weights, names)
    judge.require_classes()
    with torch.no_grad():
        answer = judge.probabilities(center_crop_resize(picture, judge.input_size)[None])[0]
    for probability, number in zip(*answer.topk(min(5, len(answer))), strict=True):
        click.echo(f"{probability:6.1%}  {judge.classes[int(number)]} ({int(number)})")
