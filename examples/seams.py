"""Does a picture show how it was made? Measures seams and edges of drawings.

    python examples/seams.py --net squeezenet1_1 --photo dog.jpg --seeds 8 > table.md

For each order of tiles, from noise and on photographs (of which the seeds take turns), at
each size, prints the seam ratio (1: tiles leave no trace), the same against the tiles of
another seed's drawing, which left none, the worst row or column, and the edge ratio (1:
the edges changed as much as the middle), each the mean over all seeds, but the worst line
the largest. Beside them stand deepdraw's first form (the lattice stays in place, past the
edge is the mean colour, and tiles are pasted back whole) and drawings without any tiles,
against the spiral's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import click
import torch
from metrics import Borders, edge_ratio, seam_ratio, worst_line

from lucid.cli.click_types import parse_size
from lucid.drawing.loop import Progress, draw
from lucid.errors import LucidError
from lucid.imaging.io import center_crop_resize, from_pil, read_image
from lucid.nets.net import Net
from lucid.nets.registry import load


def paint(
    net: Net, wanted: str, photo: torch.Tensor | None, size: tuple[int, int], **how: object
) -> tuple[torch.Tensor, Borders]:
    """What one drawing changed, and where its tiles' borders ran."""
    borders = Borders(size)

    def watch(progress: Progress) -> None:
        borders.add(progress.tiles(), progress.octave)

    base = None if photo is None else center_crop_resize(photo, size)
    painted = draw(net, [wanted], base, size=size, watch=watch, **how)
    return from_pil(painted) - (0.5 if base is None else base), borders


NAMES = {"fixed": "deepdraw's first form", "none": "none at all"}


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--class", "wanted", default="goldfish", show_default=True)
@click.option("--photo", "photos", type=click.Path(path_type=Path), multiple=True)
@click.option("--size", "sizes", type=parse_size, multiple=True, default=["512x512", "1000x700"])
@click.option("--seeds", default=8, show_default=True)
@click.option("--iters", type=int, help="Passes at each octave; few show seams best.")
def main(
    net_name: str,
    weights: Path | None,
    wanted: str,
    photos: tuple[Path, ...],
    sizes: tuple[tuple[int, int], ...],
    seeds: int,
    iters: int | None,
) -> None:
    net = load(net_name, weights)
    bases = [[None], *([[read_image(photo) for photo in photos]] if photos else [])]
    orders = ("spiral", "grid", "random", "fixed", "none")
    runs = [(size, base, order) for size in sizes for base in bases for order in orders]
    click.echo("| size | on | tiles | seam ratio | another's | worst line | edge ratio |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    spirals: list[Borders] = []
    with click.progressbar(length=len(runs) * seeds, file=sys.stderr) as bar:
        for size, base, order in runs:
            padding = "mean" if order == "fixed" else "reflect"
            changes, tiled = [], []
            for seed in range(seeds):
                how = {"order": order, "padding": padding, "iterations": iters, "seed": seed}
                change, borders = paint(net, wanted, base[seed % len(base)], size, **how)
                changes.append(change)
                tiled.append(borders)
                bar.update(1)
            if order == "spiral":
                spirals = tiled
            tiled = spirals if order == "none" else tiled
            own = mean(map(seam_ratio, changes, tiled))
            others = mean(map(seam_ratio, changes, [*tiled[1:], tiled[0]]))
            click.echo(
                f"| {size[1]}x{size[0]} | {'noise' if base == [None] else 'photographs'} "
                f"| {NAMES.get(order, order)} | {own:.3f} | {others:.3f} "
                f"| {max(map(worst_line, changes)):.2f} | {mean(map(edge_ratio, changes)):.2f} |"
            )


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
