"""``lucid sheet``: a small picture of every channel of a layer, or of every class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lucid.cli import completers
from lucid.cli.click_types import COUNT, FILE, SEED, SIDE, parse_class
from lucid.cli.console import echo, progress_bar, start_log
from lucid.cli.files import make_folder, refuse_overwrite, reserve_output
from lucid.cli.options import (
    MACHINE,
    OneDashCommand,
    RunArguments,
    argument,
    flag,
    option,
    takes,
)
from lucid.cli.recipe_args import build_recipe
from lucid.drawing.specs import CLASS_NUMBERS, ClassSpec, expand_numbers
from lucid.nets.imagenet import read_range

if TYPE_CHECKING:
    from PIL import Image

    from lucid.drawing.feature_sheet import Cell
    from lucid.nets.net import Net


@dataclass(frozen=True, kw_only=True)
class SheetArguments(RunArguments):
    """Arguments of ``lucid sheet``."""

    net_name: str = argument(shell_complete=completers.nets, metavar="NET")
    layer: str | None = argument(required=False, metavar="[LAYER]")
    channels: str | None = option(
        "Numbers of the channels: 0-15,20. Without it, all.", metavar="NUMBERS"
    )
    classes: tuple[ClassSpec, ...] = option(
        "Classes in place of a layer's channels: names, numbers (1,5-9) or groups (birds).",
        "--classes",
        type=parse_class,
        multiple=True,
        shell_complete=completers.classes,
        metavar="NAMES",
    )
    side: int | None = option(
        "Side of each picture in pixels.  [default: 128 for channels, 224 for classes]",
        "--size",
        type=SIDE,
    )
    iters: int | None = option("Passes at each octave of a picture.", type=COUNT)
    columns: int | None = option("Pictures in a row.", type=COUNT)
    seed: int = option("Seed of every picture.", type=SEED, default=0)
    output: Path | None = option(
        "File of the sheet. Its pictures are kept in a folder beside it. Without it, "
        "NET_LAYER_sheet.png.",
        "-o",
        "--output",
        type=FILE,
    )
    resume: bool = flag("Draw only the pictures that are missing.")
    force: bool = flag("Overwrite the sheet and its pictures.")


SECTIONS = {
    "What to draw": ("channels", "classes"),
    "How": ("side", "iters", "columns", "seed"),
    "Output": ("output", "resume", "force", "no_recipe", "preview", "verbose", "quiet", "yes"),
    **MACHINE,
}


@click.command(cls=OneDashCommand, sections=SECTIONS)
@takes(SheetArguments)
def sheet(arguments: SheetArguments) -> None:
    """Draw what every channel of a LAYER of NET responds to, or every class, small, on one sheet.

    Each picture is kept in a folder beside the sheet; --resume goes on with those that are
    missing. A channel that nothing was found for is marked as dead.

    \b
    lucid sheet lucid64 8 --channels 0-15
    lucid sheet squeezenet1_1 features.9.cat -o fire9.png
    lucid sheet lucid1000 --classes birds
    """
    from lucid.drawing import feature_sheet as sheets
    from lucid.imaging import recipes
    from lucid.imaging.files import check_writable
    from lucid.imaging.preview import Preview
    from lucid.nets.registry import load, load_meta

    if bool(arguments.layer) == bool(arguments.classes):
        raise click.UsageError("give a LAYER, or --classes: `lucid layers NET` lists the layers")
    files = (arguments.net_name, arguments.weights, arguments.names)
    meta = load_meta(*files)
    name = arguments.layer or "classes"
    target = arguments.output or Path(f"{meta.name}_{name.replace('/', '-')}_sheet.png")
    folder = target.with_suffix("")
    cells, side = _plan_cells(meta, arguments, folder)
    check_writable(target)
    reserve_output(target)
    if not arguments.resume:
        kept = [cell.path for cell in cells]
        hint = ", or --resume to draw what is missing"
        refuse_overwrite([*recipes.output_files(target), *kept], arguments.force, hint)
    net = load(*files, progress=not arguments.quiet)
    make_folder(folder)
    for cell in cells:
        if arguments.resume:
            sheets.check_kept(net, cell, side, arguments.seed, arguments.iters)
        else:
            cell.path.unlink(missing_ok=True)
    start_log(arguments, net, arguments.seed)
    preview = Preview() if arguments.preview else None
    with progress_bar(target.name, len(cells), arguments) as bar:

        def watch(_label: str, cell: Image.Image) -> None:
            bar.update(1)
            if preview:
                preview.show(cell)

        picture = sheets.feature_sheet(
            net,
            cells,
            side=side,
            columns=arguments.columns,
            recipe=not arguments.no_recipe,
            seed=arguments.seed,
            iterations=arguments.iters,
            runtime=arguments.runtime,
            watch=watch,
        )
    recipe = None if arguments.no_recipe else build_recipe(net)
    recipes.write_picture(picture, target, recipe, replace=arguments.force or arguments.resume)
    if not arguments.quiet:
        what = "channels" if arguments.layer else "classes"
        echo(f"wrote {target} ({len(cells)} {what}; each in {folder})")


def _plan_cells(meta: Net, arguments: SheetArguments, folder: Path) -> tuple[list[Cell], int]:
    """Plan the pictures of a sheet; return them, and their sides in pixels."""
    from lucid.drawing import feature_sheet as sheets
    from lucid.drawing.targets import resolve_class

    if arguments.layer:
        count = meta.layer_shape(arguments.layer)[0]
        numbers = _read_numbers(arguments.channels) if arguments.channels else range(count)
        cells = sheets.channel_cells(meta, arguments.layer, list(dict.fromkeys(numbers)), folder)
        return cells, arguments.side or sheets.LAYER_SIDE
    if arguments.channels:
        raise click.UsageError("--channels are a layer's: give LAYER, or leave it out")
    found: list[int] = []
    for each in expand_numbers(arguments.classes):
        if each.weight != 1 or each.region:
            raise click.UsageError(f"--classes {each.text}: has no weight or place on a sheet")
        number = resolve_class(meta, each.name)
        found += [number] if isinstance(number, int) else number
    cells = sheets.class_cells(meta, list(dict.fromkeys(found)), folder)
    return cells, arguments.side or sheets.CLASS_SIDE


def _read_numbers(text: str) -> list[int]:
    """Read numbers and ranges: 0-15,20."""
    parts = text.split(",") if CLASS_NUMBERS.fullmatch(text) else []
    ranges = [read_range(part) for part in parts]
    if not 0 < sum(map(len, ranges)) <= 100_000:
        raise click.UsageError(f"--channels {text!r} is no list of numbers and ranges: 0-15,20")
    return [number for found in ranges for number in found]
