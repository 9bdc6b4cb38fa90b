from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from lucid.cli.common import DEVICE, FILE, PRECISION, Size


@click.command()
@click.option("--net", "net_name", default="squeezenet1_1", show_default=True, metavar="NET")
@click.option("--size", type=Size(), default=(768, 1024), show_default="1024x768")
@click.option(
    "--tiles",
    "order",
    type=click.Choice(["spiral", "random", "grid"]),
    default="spiral",
    show_default=True,
)
@click.option("--tile-size", type=click.IntRange(min=8), default=224, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--weights", type=FILE, help="The net's weights, in place of random ones.")
@DEVICE
@PRECISION
def bench(
    net_name: str,
    size: tuple[int, int],
    order: str,
    tile_size: int,
    batch: int,
    repeats: int,
    as_json: bool,
    weights: Path | None,
    device: str,
    precision: str,
) -> None:
    """Measure what a step of drawing costs here, untiled and tiled."""
    from lucid import nets
    from lucid.bench import bench as measure

    # Random weights are as fast as any.
    net = nets.load(net_name, weights) if weights else nets.untrained(net_name)
    report = measure(
        net,
        size=size,
        order=order,
        tile=tile_size,
        batch=batch,
        device=device,
        precision=precision,
        repeats=repeats,
    )
    if as_json:
        click.echo(json.dumps(asdict(report)))
        return
    click.echo(f"{report.net}, {report.size}, {report.precision} on {report.device}")
    click.echo(f"  torch {report.torch}, {report.threads} threads, {report.machine}")
    click.echo(
        f"  untiled step  {report.whole_step:8.3f} s   {report.steps_per_second:7.2f} steps/s"
    )
    click.echo(
        f"  tiled pass    {report.tiled_pass:8.3f} s   {report.tiles_per_second:7.2f} tiles/s"
        f"   ({report.tiles} tiles of {report.tile}, {report.order}, batches of {report.batch})"
    )
    click.echo(
        f"  overhead      {report.overhead:8.2f}     "
        f"(tiled / untiled, for {report.area_ratio:.2f} times the pixels)"
    )
    click.echo(f"  peak memory   {report.peak_memory / 2**20:8.0f} MiB")
