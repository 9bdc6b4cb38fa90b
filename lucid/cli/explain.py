"""``lucid explain``: what a net recognises a class by, in pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lucid.cli import completers
from lucid.cli.click_types import COUNT, FILE, SEED, SIDE
from lucid.cli.console import echo, progress_bar, start_log
from lucid.cli.files import refuse_overwrite, reserve_numbered, reserve_output, resolve_stdin
from lucid.cli.options import MACHINE, OneDashCommand, RunArguments, argument, flag, option, takes
from lucid.cli.recipe_args import build_recipe

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class ExplainArguments(RunArguments):
    """Arguments of ``lucid explain``."""

    image: Path = argument(type=FILE)
    net_name: str = option(
        "Net that looks at the image.",
        "--net",
        default="lucid64",
        shell_complete=completers.nets,
        metavar="NET",
    )
    class_name: str | None = option(
        "Class to explain. Without it, the likeliest.",
        "--class",
        shell_complete=completers.classes,
        metavar="NAME",
    )
    layer: str | None = option(
        "Layer whose channels are shown. Without it, the last whose features are no classes.",
        shell_complete=completers.layers,
    )
    number: int = option("Number of channels.", "-n", "--number", type=COUNT, default=8)
    side: int = option("Side of each picture in pixels.", "--size", type=SIDE, default=128)
    seed: int = option("Seed of every picture.", type=SEED, default=0)
    output: Path | None = option(
        "File of the sheet. Without it, a numbered file.", "-o", "--output", type=FILE
    )
    force: bool = flag("Overwrite the sheet if it exists.")


SECTIONS = {
    "What to explain": ("net_name", "weights", "names", "class_name", "layer", "number"),
    "How": ("side", "seed"),
    "Output": ("output", "force", "no_recipe", "preview", "verbose", "quiet", "yes"),
    "Machine": MACHINE["Machine"],
}


@click.command(cls=OneDashCommand, sections=SECTIONS)
@takes(ExplainArguments)
def explain(arguments: ExplainArguments) -> None:
    """Draw what a net recognises a class in IMAGE by: the channels that add most to its score.

    The sheet shows the image, then each channel as `lucid sheet` draws it, with what it adds to
    the class's score.

    \b
    lucid explain photo.jpg --net squeezenet1_1
    lucid explain photo.jpg --class "golden retriever" --net lucid1000 -n 15
    """
    from lucid.drawing.explain import explain as draw_explanation
    from lucid.imaging import recipes
    from lucid.imaging.files import check_writable
    from lucid.imaging.io import read_image
    from lucid.imaging.preview import Preview
    from lucid.nets.registry import load, load_meta

    file = resolve_stdin(arguments.image)
    picture = read_image(file)
    files = (arguments.net_name, arguments.weights, arguments.names)
    load_meta(*files).require_classes()
    if arguments.output:
        target = arguments.output
        reserve_output(target)
    else:
        target = reserve_numbered(f"{file.stem}_explained")
    check_writable(target)
    refuse_overwrite(recipes.output_files(target), arguments.force)
    net = load(*files, progress=not arguments.quiet)
    start_log(arguments, net, arguments.seed)
    preview = Preview() if arguments.preview else None
    with progress_bar(target.name, arguments.number, arguments) as bar:

        def watch(_label: str, cell: Image.Image) -> None:
            bar.update(1)
            if preview:
                preview.show(cell)

        sheet, said = draw_explanation(
            net,
            picture,
            arguments.class_name,
            arguments.layer,
            count=arguments.number,
            side=arguments.side,
            seed=arguments.seed,
            runtime=arguments.runtime,
            watch=watch,
        )
    recipe = None if arguments.no_recipe else build_recipe(net)
    recipes.write_picture(sheet, target, recipe, replace=arguments.force)
    if not arguments.quiet:
        echo(said)
        echo(f"wrote {target}")
