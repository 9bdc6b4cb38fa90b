"""Does another net see what lucid drew?

    python examples/judge.py --sheet sheet.png > table.md

Draws each class of lucid64, or of another net, from noise, at default settings, and
asks a judge who had no part in it: by default ImageNet's SqueezeNet, trained by
others, on other photographs, at another resolution. Prints a table (Markdown) of what
the judge says first, and how high it ranks what was meant among its thousand classes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from PIL import Image

from lucid.drawing.loop import draw
from lucid.errors import LucidError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, write_image
from lucid.nets.net import Net
from lucid.nets.registry import load


@dataclass(frozen=True)
class Verdict:
    """What the judge said of a picture.

    Attributes:
        meant: the class that was drawn.
        seen: the judge's first answer, with its probability.
        rank: of what was meant among the judge's answers, from 1.
    """

    meant: str
    seen: str
    probability: float
    rank: int


def ask(judge: Net, picture: Image.Image, meant: str) -> Verdict:
    """Ask about one picture, at the judge's own size."""
    height, width = judge.input_size
    square = picture.resize((width, height), Image.Resampling.LANCZOS)
    with torch.no_grad():
        answer = judge.probabilities(from_pil(square)[None])[0]
    first = int(answer.argmax())
    rank = 1 + int((answer > answer[judge.class_index(meant)]).sum())
    return Verdict(meant, judge.classes[first], float(answer[first]), rank)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True, help="Who draws.")
@click.option(
    "--judge", "judge_name", default="squeezenet1_1", show_default=True, help="Who looks."
)
@click.option("--judge-weights", type=click.Path(path_type=Path), help="Of the judge.")
@click.option("--class", "classes", multiple=True, help="Only these; otherwise all of the net's.")
@click.option("--size", default=224, show_default=True, help="Side of each picture, in pixels.")
@click.option("--seed", default=0, show_default=True)
@click.option("--sheet", type=click.Path(path_type=Path), help="Where to write all pictures.")
@click.option("--columns", default=8, show_default=True, help="Of the sheet.")
def main(
    net_name: str,
    judge_name: str,
    judge_weights: Path | None,
    classes: tuple[str, ...],
    size: int,
    seed: int,
    sheet: Path | None,
    columns: int,
) -> None:
    net, judge = load(net_name), load(judge_name, judge_weights)
    pictures, verdicts = [], []
    with click.progressbar(classes or net.classes, label="drawing", file=sys.stderr) as bar:
        for name in bar:
            pictures.append(draw(net, [name], size=(size, size), seed=seed))
            verdicts.append(ask(judge, pictures[-1], name))
    if sheet:
        write_image(contact_sheet(pictures, columns=columns), sheet)

    click.echo(
        f"| drawn by {net.name} | {judge.name} sees | sure | rank |\n| --- | --- | --- | --- |"
    )
    for said in verdicts:
        click.echo(f"| {said.meant} | {said.seen} | {said.probability:.0%} | {said.rank} |")
    for best in (1, 5):
        right = sum(said.rank <= best for said in verdicts)
        share = right / len(verdicts)
        click.echo(f"\nin the judge's top {best}: {right} of {len(verdicts)} ({share:.0%})")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
