"""``lucid layers``: list the layers of a net, or draw a contact sheet of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import FILE
from lucid.cli.console import echo, progress_bar
from lucid.cli.files import refuse_overwrite, reserve_output, resolve_stdin
from lucid.cli.options import DeviceArguments, OneDashCommand, argument, flag, option, takes
from lucid.cli.recipe_args import build_recipe


@dataclass(frozen=True, kw_only=True)
class LayersArguments(DeviceArguments):
    """Arguments of ``lucid layers``."""

    net: str = argument(shell_complete=completers.nets)
    sheet: Path | None = option("Image to draw one small dream on for each layer.", type=FILE)
    output: Path | None = option(
        "File of the sheet. Without it, NET_layers.png.", "-o", "--output", type=FILE
    )
    force: bool = flag("Overwrite the sheet if it exists.")


@click.command(cls=OneDashCommand)
@takes(LayersArguments)
def layers(arguments: LayersArguments) -> None:
    """List the layers of NET: name, kind, and output shape at the net's own input size.

    `lucid nightmare` takes these names as LAYER and `lucid draw` as --layer. Only --sheet needs
    the net's weights: it draws one small dream for each layer, to choose by looking.
    """
    from lucid.drawing.layer_sheet import layer_sheet
    from lucid.imaging import recipes
    from lucid.imaging.files import check_writable
    from lucid.imaging.io import read_image
    from lucid.nets.registry import load, load_meta

    files = (arguments.net, arguments.weights, arguments.names)
    if arguments.sheet is None:
        if arguments.output or arguments.force:
            raise click.UsageError("-o and --force mean nothing without --sheet IMAGE")
        for name, kind, shape in load_meta(*files).describe():
            echo(f"{name:<32} {kind:<20} {'x'.join(map(str, shape))}")
        return

    base = read_image(resolve_stdin(arguments.sheet))
    target = arguments.output or Path(f"{Path(arguments.net).stem}_layers.png")
    check_writable(target)
    reserve_output(target)
    refuse_overwrite(recipes.output_files(target), arguments.force)
    net = load(*files)
    with progress_bar(net.name, len(net.layers)) as bar:
        picture = layer_sheet(net, base, runtime=arguments.runtime, watch=lambda _: bar.update(1))
    recipes.write_picture(picture, target, build_recipe(net), replace=arguments.force)
    echo(f"wrote {target}")
