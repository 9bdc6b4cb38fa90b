"""Measure seams and border effects in drawings.

    python examples/seams.py --net squeezenet1_1 --photo dog.jpg --seeds 8 > table.md

For each order of tiles, from noise and on photographs (used in turn by the seeds), at each size,
prints a Markdown table of

- the seam ratio: 1 if tiles leave no trace;
- the seam ratio at the tile edges of another seed's drawing, which left no trace here;
- the worst row or column: the largest value of all seeds, while the others are means;
- the edge ratio: 1 if the border changed as much as the rest of the image.

For comparison the table has deepdraw's first form (the tile lattice stays in place, the mean colour
lies beyond the border, and tiles are pasted without blending), and drawings without tiles, whose
seam ratio is measured at the tile edges of the spiral.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean
from typing import Unpack

import click
import torch
from metrics import TileEdges, edge_ratio, seam_ratio, worst_line

from lucid.cli.click_types import parse_pixels
from lucid.drawing.config import TILE
from lucid.drawing.loop import draw
from lucid.drawing.options import DrawOptions
from lucid.drawing.progress import Progress
from lucid.errors import LucidError
from lucid.imaging.io import center_crop_resize, from_pil, read_image
from lucid.nets.net import Net
from lucid.nets.registry import load

LABELS = {"fixed": "deepdraw's first form", "none": "none at all"}
"""Orders of tiles with another name in the table."""


def draw_change(
    net: Net, class_name: str, photo: torch.Tensor | None, **options: Unpack[DrawOptions]
) -> tuple[torch.Tensor, TileEdges]:
    """Draw a class on a photograph, or from noise.

    Args:
        net: a net with classes.
        class_name: the class to draw.
        photo: (3, height, width), 0..1, cropped and resized to ``size``; None for noise.
        options: options of ``lucid.draw``, among them ``size``.

    Returns:
        The change, (3, *size), from the photograph or from mid-grey, and the tile edges.
    """
    size = options["size"]
    assert size is not None
    edges = TileEdges(size)

    def watch(progress: Progress) -> None:
        edges.add(progress.tiles(), progress.octave)

    base = None if photo is None else center_crop_resize(photo, size)
    drawn = draw(net, class_name, base, watch=watch, **options)
    return from_pil(drawn) - (0.5 if base is None else base), edges


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--class", "class_name", default="goldfish", show_default=True)
@click.option("--photo", "photos", type=click.Path(path_type=Path), multiple=True)
@click.option("--size", "sizes", type=parse_pixels, multiple=True, default=["512x512", "1000x700"])
@click.option("--seeds", default=8, show_default=True)
@click.option("--iters", type=int, help="Passes at each octave; few show seams best.")
def main(
    net_name: str,
    weights: Path | None,
    class_name: str,
    photos: tuple[Path, ...],
    sizes: tuple[tuple[int, int], ...],
    seeds: int,
    iters: int | None,
) -> None:
    net = load(net_name, weights)
    bases: list[list[torch.Tensor | None]] = [[None]]
    if photos:
        bases.append([read_image(photo) for photo in photos])
    orders = ("spiral", "grid", "random", "fixed", "none")
    runs = [(size, base, order) for size in sizes for base in bases for order in orders]
    click.echo("| size | on | tiles | seam ratio | another's | worst line | edge ratio |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    spiral_edges: list[TileEdges] = []
    with click.progressbar(length=len(runs) * seeds, file=sys.stderr) as bar:
        for size, base, order in runs:
            options: DrawOptions = {"size": size, "order": order, "iterations": iters}
            options["subject"] = f"{TILE}px"
            options["padding"] = "mean" if order == "fixed" else "reflect"
            changes, edges = [], []
            for seed in range(seeds):
                photo = base[seed % len(base)]
                options["seed"] = seed
                change, drawn = draw_change(net, class_name, photo, **options)
                changes.append(change)
                edges.append(drawn)
                bar.update(1)
            if order == "spiral":
                spiral_edges = edges
            edges = spiral_edges if order == "none" else edges
            own = mean(map(seam_ratio, changes, edges))
            others = mean(map(seam_ratio, changes, [*edges[1:], edges[0]]))
            click.echo(
                f"| {size[1]}x{size[0]} | {'noise' if base == [None] else 'photographs'} "
                f"| {LABELS.get(order, order)} | {own:.3f} | {others:.3f} "
                f"| {max(map(worst_line, changes)):.2f} | {mean(map(edge_ratio, changes)):.2f} |"
            )


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
