from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import complete
from lucid.cli.common import (
    DEVICE,
    FILE,
    PRECISION,
    OneDashCommand,
    check_free,
    net_files,
    progress_bar,
    readable,
)
from lucid.cli.telling import told


@click.command(cls=OneDashCommand)
@click.argument("net", shell_complete=complete.nets)
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
    from lucid import images, nets, recipes

    if picture is None:
        if output or force:
            raise click.UsageError("-o and --force mean nothing without --sheet IMAGE")
        for name, kind, shape in nets.outline(net, weights, names).describe():
            click.echo(f"{name:<32} {kind:<20} {'x'.join(map(str, shape))}")
        return

    from lucid.sheets import layer_sheet

    shown = images.read(readable(picture))
    target = output or Path(f"{Path(net).stem}_layers.png")
    images.check_writable(target)
    check_free(recipes.files_of(target), force)
    loaded = nets.load(net, weights, names)
    with progress_bar(loaded.name, len(loaded.layers), quiet=False) as bar:
        sheet = layer_sheet(
            loaded, shown, device=device, precision=precision, watch=lambda _: bar.update(1)
        )
    recipes.write_picture(sheet, target, told(loaded, device, precision))
    click.echo(f"wrote {target}")
