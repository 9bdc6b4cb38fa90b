"""Measure whether mixes of two classes are one thing that is both.

    python examples/hybrids.py --net lucid1000 --judge squeezenet1_1 --seeds 3 > table.md
    python examples/hybrids.py --skin > table.md

Draws each pair of classes from noise with default settings, as a mix or as the first in the pattern
of the second. Prints a Markdown table: the probability of each class by the net that drew, the rank
of each class by a judge, a net that took no part in drawing, and by the judge also how far the
evidence for the two classes lies in the same places, from 0 to 1. A hybrid counts as good when the
net that drew gives each class a probability of at least 0.25, and both classes are among the
judge's first five.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import torch
from judge import at_input_size, classify
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lucid.core.attribution import attribution_layer, attribution_maps
from lucid.drawing.loop import draw
from lucid.drawing.skin import draw_skin
from lucid.errors import LucidError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, write_image
from lucid.nets.net import LOGITS, Net
from lucid.nets.registry import load

PAIRS = (
    "tabby+ladybug",
    "king penguin+monarch",
    "snail+goldfish",
    "lion+daisy",
    "zebra+school bus",
    "flamingo+teapot",
    "tiger+goldfish",
    "peacock+jellyfish",
    "bald eagle+volcano",
    "strawberry+porcupine",
    "pineapple+teapot",
    "leopard+sports car",
)
LEAST_PROBABILITY = 0.25
LOWEST_RANK = 5

SHARPNESS = 3
"""How sharply the positive part of the evidence, in standard deviations, ends at 0."""


def overlap(maps: Tensor) -> Tensor:
    """How far classes are seen in the same places.

    Args:
        maps: (n, classes, rows, columns), on any scale; places below 0, which speak against a
            class, count little.

    Returns:
        (n,), from near 0 for classes in different places to 1 for equal maps: the sum over places
        of the geometric mean of the maps, each of which is made positive and to sum to 1. For two
        classes this is the Bhattacharyya coefficient.
    """
    places = maps.flatten(2)
    scale = places.detach().std(2, keepdim=True).clamp(min=1e-6)
    evidence = F.softplus(places / scale, beta=SHARPNESS)
    shares = evidence / evidence.sum(2, keepdim=True)
    return shares.log().mean(1).exp().sum(1)


@dataclass(frozen=True)
class Verdict:
    """What two nets say of a picture of two classes.

    Attributes:
        probabilities: of each class, by the net that drew.
        ranks: of each class, from 1, by the judge.
        overlap: how far the judge sees both in the same places, 0..1.
    """

    probabilities: list[float]
    ranks: list[int]
    overlap: float

    @property
    def good(self) -> bool:
        """Whether both nets see both classes."""
        return min(self.probabilities) >= LEAST_PROBABILITY and max(self.ranks) <= LOWEST_RANK


def examine(net: Net, judge: Net, layer: str, picture: Image.Image, names: list[str]) -> Verdict:
    """Show a picture to the net that drew and to a judge, whose attribution layer is ``layer``."""
    with torch.no_grad():
        own = net.probabilities(from_pil(picture)[None])[0]
    shown = at_input_size(picture, judge).requires_grad_()
    activations = judge.activations(shown, [layer, LOGITS])
    scores = activations[LOGITS][:, [judge.class_index(name) for name in names]]
    return Verdict(
        probabilities=[float(own[net.class_index(name)]) for name in names],
        ranks=[classify(judge, picture, name).rank for name in names],
        overlap=float(overlap(attribution_maps(activations[layer], scores)).detach()),
    )


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid1000", show_default=True, help="The net to draw.")
@click.option(
    "--judge",
    "judge_name",
    default="squeezenet1_1",
    show_default=True,
    help="The net to classify.",
)
@click.option("--pair", "pairs", multiple=True, default=PAIRS, help="Two classes: A+B.")
@click.option("--size", default=224, show_default=True, help="Side of each picture, in pixels.")
@click.option("--skin", is_flag=True, help="Draw the first class in the pattern of the second.")
@click.option("--seeds", default=1, show_default=True, help="Pictures of each pair.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write all pictures to this file.")
@click.option("--columns", default=6, show_default=True, help="Columns of the sheet.")
def main(
    net_name: str,
    judge_name: str,
    pairs: tuple[str, ...],
    size: int,
    skin: bool,
    seeds: int,
    sheet: Path | None,
    columns: int,
) -> None:
    net, judge = load(net_name), load(judge_name)
    layer = attribution_layer(judge)
    if layer is None:
        raise click.UsageError(f"{judge.name} has no late layer with features for each place")
    pictures, verdicts = [], []
    click.echo(f"| drawn by {net.name} | seed | probabilities | ranks by {judge.name} | overlap |")
    click.echo("| --- | --- | --- | --- | --- |")
    for pair in pairs:
        names = pair.split("+")
        for seed in range(seeds):
            if skin:
                picture = draw_skin(net, *names, size=(size, size), seed=seed)
            else:
                picture = draw(net, names, size=(size, size), seed=seed)
            verdict = examine(net, judge, layer, picture, names)
            pictures.append(picture)
            verdicts.append(verdict)
            first, second = verdict.probabilities
            click.echo(
                f"| {' + '.join(names)} | {seed} | {first:.2f}, {second:.2f} "
                f"| {verdict.ranks[0]}, {verdict.ranks[1]} | {verdict.overlap:.2f} |"
            )
    good = sum(verdict.good for verdict in verdicts)
    mean = sum(verdict.overlap for verdict in verdicts) / len(verdicts)
    click.echo(f"\n{good} of {len(verdicts)} are good; mean overlap {mean:.2f}")
    if sheet:
        write_image(contact_sheet(pictures, columns=columns), sheet)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
