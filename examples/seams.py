"""Does a picture show how it was made? Measures seams and edges of drawings.

    python examples/seams.py --net squeezenet1_1 --photo dog.jpg --seeds 8 > table.md

For each order of tiles, from noise and on a photograph, at each size, prints the seam
ratio (1: tiles leave no trace), the worst row or column, and the edge ratio (1: the
edges changed as much as the middle), each the mean over all seeds, but the worst line
the largest. The last rows are deepdraw's first form: the lattice stays in place, past the
edge is the mean colour, and tiles are pasted back whole.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import torch

from lucid import images, nets
from lucid.cli.common import Size
from lucid.draw import Progress, draw
from lucid.errors import LucidError
from lucid.manners import suited
from lucid.measure import Borders, edge_ratio, seam_ratio, worst_line


def look(
    net: nets.Net, wanted: str, photo: torch.Tensor | None, size: tuple[int, int], **how: object
) -> tuple[float, float, float]:
    """The seam ratio, the worst line and the edge ratio of one drawing."""
    borders = Borders(size)

    def watch(progress: Progress) -> None:
        borders.add(progress.tiles(), progress.octave)

    base = None if photo is None else images.fill(photo, size)
    manner = suited(net, on_a_base=base is not None)
    painted = draw(net, [wanted], base, size=size, manner=manner, watch=watch, **how)
    change = images.from_pil(painted) - (0.5 if base is None else base)
    return seam_ratio(change, borders), worst_line(change), edge_ratio(change)


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--class", "wanted", default="goldfish", show_default=True)
@click.option("--photo", type=click.Path(path_type=Path), help="Also draw on this.")
@click.option("--size", "sizes", type=Size(), multiple=True, default=["512x512", "1000x700"])
@click.option("--seeds", default=8, show_default=True)
@click.option("--iters", type=int, help="Passes at each octave; few show seams best.")
def main(
    net_name: str,
    weights: Path | None,
    wanted: str,
    photo: Path | None,
    sizes: tuple[tuple[int, int], ...],
    seeds: int,
    iters: int | None,
) -> None:
    net = nets.load(net_name, weights)
    bases = [None, *([images.read(photo)] if photo else [])]
    ways = [(order, "reflect") for order in ("spiral", "grid", "random")] + [("fixed", "mean")]
    runs = [(way, size, base) for way in ways for size in sizes for base in bases]
    click.echo("| tiles | on | size | seam ratio | worst line | edge ratio |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    with click.progressbar(length=len(runs) * seeds, file=sys.stderr) as bar:
        for (order, padding), size, base in runs:
            found = []
            for seed in range(seeds):
                how = {"order": order, "padding": padding, "iterations": iters, "seed": seed}
                found.append(look(net, wanted, base, size, **how))
                bar.update(1)
            seams, lines, edges = zip(*found, strict=True)
            name = "deepdraw's first form" if order == "fixed" else order
            click.echo(
                f"| {name} | {'noise' if base is None else 'photograph'} | {size[1]}x{size[0]} "
                f"| {sum(seams) / seeds:.3f} | {max(lines):.2f} | {sum(edges) / seeds:.2f} |"
            )


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
