"""``lucid bench``: measure what the steps cost on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli.click_types import COUNT, DEVICE, FILE, PRECISION, SIDE, parse_pixels
from lucid.cli.options import argument, flag, option, takes
from lucid.cli.sections import SectionedCommand
from lucid.errors import LucidError

if TYPE_CHECKING:
    from lucid.bench import Report, Row


@dataclass(frozen=True, kw_only=True)
class BenchArguments:
    """Arguments of ``lucid bench``."""

    tasks: tuple[str, ...] = argument(nargs=-1, metavar="[TASK]...")
    net_name: str | None = option("Net, in place of each task's own.", "--net", metavar="NET")
    weights: Path | None = option("Weights of --net, in place of random ones.", type=FILE)
    layer: str = option("Layer of the task nightmare.", default="10")
    size: tuple[int, int] | None = option(
        "Size of the picture of the tasks nightmare, pass and film, in place of their own.",
        type=parse_pixels,
        metavar="WxH",
    )
    tiles: str = option(
        "Order of the tiles in the task pass.",
        type=click.Choice(["spiral", "random", "grid"]),
        default="spiral",
    )
    tile_size: int = option("Side of a tile of draw and pass, in pixels.", type=SIDE, default=224)
    batch: int = option(
        "Number of tiles that the net sees at once, in draw, pass and film.", type=COUNT, default=16
    )
    repeats: int = option("Number of runs that the median is taken of.", type=COUNT, default=5)
    precisions: tuple[str, ...] = option(
        "Number format of the net; give the option several times to compare.",
        "--precision",
        type=PRECISION,
        multiple=True,
        default=["fp32", "auto"],
    )
    as_json: bool = flag("Print one JSON object.", "--json")
    compare: Path | None = option(
        "File of an earlier --json: the exit code is 1 if a ratio has become worse.", type=FILE
    )
    device: str = option(**DEVICE)


USED_BY = {
    "size": {"nightmare", "pass", "film"},
    "layer": {"nightmare"},
    "tiles": {"pass"},
    "tile_size": {"draw", "pass"},
    "batch": {"draw", "pass", "film"},
}
"""The tasks that an option changes, for those that do not change all."""


@click.command(cls=SectionedCommand)
@takes(BenchArguments)
def bench(arguments: BenchArguments) -> None:
    """Measure what lucid's steps cost here, compared with the bare network's.

    TASK is nightmare (one step), draw (a batch of tiles), pass (a picture in tiles, compared
    with the same picture whole) or film (a frame, compared with its dream alone). Without a
    TASK all are measured.

    The ratio is lucid's time divided by the bare network's: 1.10 is 10 % more. It depends little
    on how busy the machine is, so that two versions can be compared by it.

    \b
    lucid bench --json > before.json
    lucid bench --compare before.json
    """
    before = _read_report(arguments.compare) if arguments.compare else None
    from lucid.bench import TASKS
    from lucid.bench import bench as measure
    from lucid.core.device import find_devices, find_precision
    from lucid.nets.registry import load, random_init

    unknown = set(arguments.tasks) - {task.name for task in TASKS}
    if unknown:
        raise click.UsageError(f"{min(unknown)!r} is no task: nightmare, draw, pass or film")
    _refuse_unused(set(arguments.tasks) or {task.name for task in TASKS})
    device, names = find_devices(arguments.device)[0], reversed(arguments.precisions)
    # auto may stand for fp32: each number format is measured once.
    precisions = list({find_precision(name, device): name for name in names}.values())[::-1]
    chosen = [
        replace(
            task,
            net=arguments.net_name or task.net,
            size=arguments.size or task.size,
            order=arguments.tiles,
            tile=arguments.tile_size,
            batch=arguments.batch,
            layer=arguments.layer,
        )
        for task in TASKS
        if task.name in arguments.tasks or not arguments.tasks
    ]
    if not arguments.as_json:
        click.echo(HEADER)
    report = measure(
        list(dict.fromkeys(chosen)),
        # Random weights are as fast as any.
        load=lambda name: load(name, arguments.weights) if arguments.weights else random_init(name),
        device=arguments.device,
        precisions=precisions,
        repeats=arguments.repeats,
        watch=None if arguments.as_json else _print_row,
    )
    worse = report.regressions(before) if before else []
    if arguments.as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        _print_summary(report)
    if before:
        _print_verdict(report, before, worse)
    if worse:
        raise SystemExit(1)


def _refuse_unused(tasks: set[str]) -> None:
    """Refuse options that change none of the tasks."""
    context = click.get_current_context()
    for name, users in USED_BY.items():
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if typed and not users & tasks:
            option_name = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option_name} changes nothing in {' and '.join(sorted(tasks))}: it is for "
                f"{' and '.join(sorted(users))}"
            )
    if context.params["weights"] and not context.params["net_name"]:
        raise click.UsageError("--weights are those of a --net: name it")


HEADER = (
    f"{'task':9} {'net':14} {'size':32} {'':4}  {'bare net':>9}  {'lucid':>9}  {'ratio':>5}  "
    f"{'images/s':>8}  {'MP/s':>6}  {'memory':>10}"
)


def _print_row(row: Row) -> None:
    click.echo(
        f"{row.task:9} {row.net:14} {row.size:32} {row.precision}  {row.baseline:7.3f} s  "
        f"{row.step:7.3f} s  {row.ratio:5.2f}  {row.images / row.step:8.1f}  "
        f"{row.megapixels:6.1f}  {row.peak_memory / 2**20:6.0f} MiB"
    )


def _print_verdict(report: Report, before: dict[str, Any], worse: list[tuple[Row, float]]) -> None:
    """Say how many ratios became worse, and which, on standard error."""
    from lucid.bench import REGRESSION_THRESHOLD

    compared = report.compared(before)
    if not compared:
        raise LucidError("nothing was measured that the earlier report holds: name its tasks")
    allowed = f"by more than {REGRESSION_THRESHOLD - 1:.0%}"
    click.echo(f"{len(worse)} of {len(compared)} ratios are worse than before {allowed}", err=True)
    for row, ratio in worse:
        click.echo(
            f"worse: {row.task} {row.net} {row.size} {row.precision}, "
            f"ratio {row.ratio:.2f} where it was {ratio:.2f}",
            err=True,
        )


def _print_summary(report: Report) -> None:
    from lucid.bench import DARKNET_RATIO, PUBLISHED_SIZE, format_size

    published = ("nightmare", "vgg-conv", format_size(PUBLISHED_SIZE))
    rows = [row for row in report.rows if (row.task, row.net, row.size) == published]
    baselines = [row.baseline for row in rows if row.precision == "fp32"]
    for row in rows if baselines else ():
        click.echo(
            f"Darknet's published nightmare, ten iterations, {row.precision}: "
            f"{10 * row.step:.2f} s, {DARKNET_RATIO * baselines[0] / row.step:.0f} times as fast "
            "as the original"
        )
    click.echo("ratio: lucid's time divided by the bare network's; 1.00 would be no cost at all")
    click.echo(f"on {report.device}, {report.threads} threads, torch {report.torch}")


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        for row in report["rows"]:
            float(row["ratio"]), row["task"], row["net"], row["size"], row["precision"]
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LucidError(f"{path}: is not what `lucid bench --json` prints") from error
    return dict(report)
