from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import complete
from lucid.cli.common import FILE, net_files, readable


@click.command()
@click.argument("net", shell_complete=complete.nets)
@click.argument("image", type=FILE)
@net_files
def classify(net: str, image: Path, weights: Path | None, names: Path | None) -> None:
    """Say what NET sees in IMAGE: its five likeliest classes."""
    import torch

    from lucid import images, nets

    picture = images.read(readable(image))
    judge = nets.load(net, weights, names)
    judge.need_classes()
    with torch.no_grad():
        answer = judge.probabilities(images.fill(picture, judge.input_size)[None])[0]
    for probability, number in zip(*answer.topk(min(5, len(answer))), strict=True):
        click.echo(f"{probability:6.1%}  {judge.classes[int(number)]} ({int(number)})")
