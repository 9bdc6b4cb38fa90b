from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from lucid.cli.options import DEVICE, FILE, Size
from lucid.errors import LucidError


@click.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--net", "net_name", metavar="NET", help="In place of each task's own.")
@click.option("--weights", type=FILE, help="Of --net, in place of random ones.")
@click.option("--layer", help="Of nightmare.", default="10", show_default=True)
@click.option("--size", type=Size(), help="Of the picture, in place of each task's own.")
@click.option(
    "--tiles",
    "order",
    type=click.Choice(["spiral", "random", "grid"]),
    default="spiral",
    show_default=True,
    help="Of pass.",
)
@click.option("--tile-size", type=click.IntRange(min=8), default=224, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    multiple=True,
    default=["fp32", "auto"],
    show_default=True,
    help="Give it several times for several.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--compare", type=FILE, help="An earlier --json, in a file: ends with 1 if a ratio got worse."
)
@DEVICE
def bench(
    tasks: tuple[str, ...],
    net_name: str | None,
    weights: Path | None,
    layer: str,
    size: tuple[int, int] | None,
    order: str,
    tile_size: int,
    batch: int,
    repeats: int,
    precisions: tuple[str, ...],
    as_json: bool,
    compare: Path | None,
    device: str,
) -> None:
    """Measure what lucid's steps cost here, beside the bare network's.

    TASK is nightmare (a step of it), draw (a batch of tiles), pass (a picture in tiles
    beside the same picture whole) or film (a frame beside its dream alone); without one, all.
    """
    before = _read(compare) if compare else None
    from lucid.bench import DARKNET_RATIO, PUBLISHED_SIZE, TASKS, Row, format_size
    from lucid.bench import bench as measure
    from lucid.core.device import find_devices, find_precision
    from lucid.nets.registry import load, random_init

    unknown = set(tasks) - {task.name for task in TASKS}
    if unknown:
        raise click.UsageError(f"{min(unknown)!r} is no task: nightmare, draw, pass or film")
    where = find_devices(device)[0]
    # What auto stands for may be fp32 itself.
    wanted = list({find_precision(name, where): name for name in reversed(precisions)}.values())
    chosen = [
        replace(
            task,
            net=net_name or task.net,
            size=size or task.size,
            order=order,
            tile=tile_size,
            batch=batch,
            layer=layer,
        )
        for task in TASKS
        if task.name in tasks or not tasks
    ]

    def tell(row: Row) -> None:
        if not as_json:
            click.echo(
                f"{row.task:9} {row.net:14} {row.size:32} {row.precision}  "
                f"baseline {row.baseline:7.3f} s  lucid {row.step:7.3f} s  ratio {row.ratio:5.2f}  "
                f"{row.images / row.step:7.1f} images/s  {row.megapixels:6.1f} MP/s  "
                f"{row.peak_memory / 2**20:6.0f} MiB"
            )

    report = measure(
        list(dict.fromkeys(chosen)),
        # Random weights are as fast as any.
        load=lambda name: load(name, weights) if weights else random_init(name),
        device=device,
        precisions=wanted[::-1],
        repeats=repeats,
        watch=tell,
    )
    worse = report.regressions(before) if before else []
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        published = ("nightmare", "vgg-conv", format_size(PUBLISHED_SIZE))
        rows = [row for row in report.rows if (row.task, row.net, row.size) == published]
        for fp32 in [row for row in rows if row.precision == "fp32"]:
            for row in rows:
                click.echo(
                    f"Darknet's published nightmare, ten iterations, {row.precision}: "
                    f"{10 * row.step:.2f} s, {DARKNET_RATIO * fp32.baseline / row.step:.0f} times "
                    "as fast as the original"
                )
        click.echo(f"on {report.device}, {report.threads} threads, torch {report.torch}")
    for row, ratio in worse:
        click.echo(
            f"worse: {row.task} {row.net} {row.size} {row.precision}, "
            f"ratio {row.ratio:.2f} where it was {ratio:.2f}",
            err=True,
        )
    if worse:
        raise SystemExit(1)


def _read(path: Path) -> dict[str, Any]:
    """An earlier report."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        for row in report["rows"]:
            float(row["ratio"]), row["task"], row["net"], row["size"], row["precision"]
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LucidError(f"{path}: is not what `lucid bench --json` prints") from error
    return dict(report)
