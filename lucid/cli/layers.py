from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.options import (
    DEVICE,
    FILE,
    PRECISION,
    OneDashCommand,
    net_files,
    progress_bar,
    refuse_overwrite,
    resolve_stdin,
)
from lucid.cli.recipe_args import build_recipe


@click.command(cls=OneDashCommand)
@click.argument("net", shell_complete=completers.nets)
@click.option("--sheet", "picture", type=FILE, help="Draw one small dream on this image per layer.")
@click.option("-o", "--output", type=FILE, help="Where to write the sheet. Else NET_layers.png.")
@click.option("--force", is_flag=True, help="Overwrite the sheet that is there.")
@net_files
@DEVICE
@PRECISION
def layers(
    net: str,
    picture: Path | None,
    output: Path | None,
    force: bool,
    weights: Path | None,
    names: Path | None,
    device: str,
    precision: str,
) -> None:
    """List the layers of NET: name, kind, and output at its own input size.

    The names are what `lucid nightmare` takes as LAYER and `lucid draw` as --layer. No
    weights are needed, but for --sheet: one small dream per layer, to choose by looking.
    """
    from lucid.imaging import recipes
    from lucid.imaging.files import check_writable
    from lucid.imaging.io import read_image
    from lucid.nets.registry import load, load_meta

    if picture is None:
        if output or force:
            raise click.UsageError("-o and --force mean nothing without --sheet IMAGE")
        for name, kind, shape in load_meta(net, weights, names).describe():
            click.echo(f"{name:<32} {kind:<20} {'x'.join(map(str, shape))}")
        return

    from lucid.drawing.layer_sheet import layer_sheet

    shown = read_image(resolve_stdin(picture))
    target = output or Path(f"{Path(net).stem}_layers.png")
    check_writable(target)
    refuse_overwrite(recipes.output_files(target), force)
    loaded = load(net, weights, names)
    with progress_bar(loaded.name, len(loaded.layers), quiet=False) as bar:
        sheet = layer_sheet(
            loaded, shown, device=device, precision=precision, watch=lambda _: bar.update(1)
        )
    recipes.write_picture(sheet, target, build_recipe(loaded, device, precision))
    click.echo(f"wrote {target}")
