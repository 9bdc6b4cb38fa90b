"""Check whether another net recognises what lucid drew.

    python examples/judge.py --sheet sheet.png > table.md
    python examples/judge.py --net lucid1000 --sample 200 --sheet sheet.png > table.md

Draws each class of lucid64, or of another net, from noise with default settings, and classifies
the pictures with judges: nets that took no part in drawing. The default judge is SqueezeNet,
trained by others on other photographs (ImageNet) at another resolution. Prints a Markdown table
of each judge's first answer and of the rank of the drawn class among the judge's classes.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from PIL import Image
from torch import Tensor

from lucid.drawing.loop import draw
from lucid.errors import LucidError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, write_image
from lucid.nets.net import Net
from lucid.nets.registry import load


@dataclass(frozen=True)
class Verdict:
    """The judge's classification of a picture.

    Attributes:
        drawn: the class that was drawn.
        first: the judge's most probable class.
        probability: the probability of that class, 0..1.
        rank: rank of the drawn class, from 1.
    """

    drawn: str
    first: str
    probability: float
    rank: int


def at_input_size(picture: Image.Image, net: Net) -> Tensor:
    """A picture at the size that a net was trained at: (1, 3, height, width), 0..1."""
    height, width = net.input_size
    return from_pil(picture.resize((width, height), Image.Resampling.LANCZOS))[None]


def classify(judge: Net, picture: Image.Image, drawn: str) -> Verdict:
    """Classify a picture that shows the class ``drawn``, at the judge's input size."""
    with torch.no_grad():
        probabilities = judge.probabilities(at_input_size(picture, judge))[0]
    first = int(probabilities.argmax())
    rank = 1 + int((probabilities > probabilities[judge.class_index(drawn)]).sum())
    return Verdict(drawn, judge.classes[first], float(probabilities[first]), rank)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True, help="The net to draw.")
@click.option(
    "--judge",
    "judge_names",
    multiple=True,
    default=["squeezenet1_1"],
    show_default=True,
    help="A net to classify; the option can be repeated.",
)
@click.option("--class", "classes", multiple=True, help="Draw only these classes.")
@click.option("--sample", type=click.IntRange(1), help="Draw so many classes, chosen at random.")
@click.option("--size", default=224, show_default=True, help="Side of each picture, in pixels.")
@click.option("--seed", default=0, show_default=True)
@click.option("--sheet", type=click.Path(path_type=Path), help="Write all pictures to this file.")
@click.option("--columns", default=8, show_default=True, help="Columns of the sheet.")
def main(
    net_name: str,
    judge_names: tuple[str, ...],
    classes: tuple[str, ...],
    sample: int | None,
    size: int,
    seed: int,
    sheet: Path | None,
    columns: int,
) -> None:
    net, judges = load(net_name), [load(name) for name in judge_names]
    # Two classes of ImageNet are called crane, so neither can be named.
    chosen = list(classes) or [name for name in net.classes if net.classes.count(name) == 1]
    if sample:
        chosen = random.Random(seed).sample(chosen, min(sample, len(chosen)))
    pictures, rows = [], []
    with click.progressbar(chosen, label="drawing", file=sys.stderr) as bar:
        for name in bar:
            pictures.append(draw(net, name, size=(size, size), seed=seed))
            rows.append([classify(judge, pictures[-1], name) for judge in judges])
    if sheet:
        write_image(contact_sheet(pictures, columns=columns), sheet)

    heads = [f"{judge.name} says | probability | rank" for judge in judges]
    click.echo("| " + " | ".join([f"drawn by {net.name}", *heads]) + " |")
    click.echo("| --- |" + " --- | --- | --- |" * len(judges))
    for row in rows:
        cells = [f"{each.first} | {each.probability:.0%} | {each.rank}" for each in row]
        click.echo("| " + " | ".join([row[0].drawn, *cells]) + " |")
    for judge, verdicts in zip(judges, zip(*rows, strict=True), strict=True):
        for top in (1, 5):
            count = sum(each.rank <= top for each in verdicts)
            share = count / len(verdicts)
            click.echo(f"\nin {judge.name}'s top {top}: {count} of {len(verdicts)} ({share:.0%})")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
