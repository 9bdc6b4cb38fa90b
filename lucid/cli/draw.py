from __future__ import annotations

import re
import secrets
from pathlib import Path

import click

from lucid.cli.common import (
    FILE,
    SEED,
    OneDashCommand,
    Size,
    loudness,
    machine,
    net_files,
    progress_bar,
    stopped,
    tell_machine,
)

DEFAULT_NET = "lucid64"


class WeighedClass(click.ParamType):
    """NAME or NAME:WEIGHT; gives (name, weight)."""

    name = "NAME[:WEIGHT]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        name, colon, weight = str(value).rpartition(":")
        if not colon:
            return str(value), 1.0
        try:
            return name, float(weight)
        except ValueError:
            self.fail(f"{weight!r} in {value!r} is not a number: write NAME:WEIGHT", param, ctx)


@click.command(cls=OneDashCommand)
@click.argument("base", required=False, type=FILE)
@click.option(
    "--class",
    "classes",
    type=WeighedClass(),
    multiple=True,
    required=True,
    help="What to draw: a class's name, an unambiguous part of it, or its number. Several mix.",
)
@click.option(
    "--net",
    "net_name",
    default=DEFAULT_NET,
    show_default=True,
    metavar="NET",
    help="Which net draws: a name from `lucid models`, or a path to a .cfg.",
)
@click.option(
    "--size",
    type=Size(),
    help="Of the picture, as 640x480; a base is stretched to it. Else the base's, or 224x224.",
)
@click.option(
    "--tiles",
    type=click.Choice(["spiral", "random", "grid", "none"]),
    default="spiral",
    show_default=True,
    help="spiral: ring by ring from the centre, so that detail grows out from the middle; "
    "grid, random: all from one picture; none: the whole picture at once.",
)
@click.option(
    "--tile-size",
    type=click.IntRange(min=8),
    help="Side of a tile, in pixels. Else 224, or what the net is built for.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="Of neighbouring tiles, as a fraction.",
)
@click.option(
    "--padding",
    type=click.Choice(["reflect", "wrap", "mean"]),
    default="reflect",
    show_default=True,
    help="Past the picture's edge. wrap makes a seamless texture; mean is the original's.",
)
@click.option(
    "--octaves",
    type=click.IntRange(min=1),
    help="At how many sizes to climb; the last is --size, none is smaller than the net was "
    "trained at (or 2/3 of a small picture). Else 4; a net trained at less than 224 pixels "
    "climbs from there.",
)
@click.option(
    "--octave-scale",
    type=click.FloatRange(1, 10),
    default=1.4,
    show_default=True,
    help="How much larger each octave is than the one before.",
)
@click.option(
    "--iters",
    type=click.IntRange(min=1),
    help="Passes over the picture at each octave. Else what suits the net: 48 from noise on most, "
    "24 on a base.",
)
@click.option("--seed", type=SEED, help="Of all that is drawn at random. Else a new one.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="The most tiles the net is shown at once.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Where to write. Else a numbered file named after what was drawn.",
)
@click.option("--force", is_flag=True, help="Overwrite the file that -o names.")
@net_files
@machine
@loudness
def draw(
    base: Path | None,
    classes: tuple[tuple[str, float], ...],
    net_name: str,
    size: tuple[int, int] | None,
    tiles: str,
    tile_size: int | None,
    overlap: float,
    padding: str,
    octaves: int,
    octave_scale: float,
    iters: int | None,
    seed: int | None,
    batch: int,
    output: Path | None,
    force: bool,
    weights: Path | None,
    names: Path | None,
    device: str,
    precision: str,
    deterministic: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Paint what a net knows: a class or a mix, from noise or on BASE, a picture.

    \b
    lucid draw --class goldfish
    lucid draw --class goldfish --class flamingo:0.5 --size 1024x768
    lucid draw photo.jpg --class "tiger cat" --net googlenet -o dream.png
    """
    from lucid import images, nets
    from lucid.draw import Progress, class_weights
    from lucid.draw import draw as paint

    if output:
        images.check_writable(output)
        if output.exists() and not force:
            raise click.UsageError(f"{output} exists: give --force to overwrite it")
    wanted: dict[str, float] = {}
    for name, weight in classes:
        wanted[name] = wanted.get(name, 0.0) + weight
    picture = images.read(base) if base else None
    # The outline knows the classes: a wrong one is found before any download.
    outline = nets.outline(net_name, weights, names)
    drawn = [outline.classes[number] for number in class_weights(outline, wanted)]
    subject = "+".join(re.sub(r"\W+", "-", name).strip("-") for name in drawn)[:100]
    target = output or images.numbered(f"{base.stem}_{subject}" if base else subject)
    final_size = size or (picture.shape[1:] if picture is not None else outline.input_size)
    images.check_writable(target, (final_size[0], final_size[1]))
    net = nets.load(net_name, weights, names, progress=not quiet)
    if seed is None:
        seed = secrets.randbelow(2**31)
    if verbose:
        tell_machine(net, device, precision, seed)

    latest: Progress | None = None

    def watch(progress: Progress) -> None:
        nonlocal latest
        before, latest = latest, progress
        if verbose and (before is None or before.octave != progress.octave):
            height, width = progress.octave
            click.echo(f"climbing at {width}x{height}", err=True)
        bar.length = progress.total
        bar.update(progress.done - (before.done if before else 0))

    try:
        with progress_bar(f"{target.name}", 1, quiet) as bar:
            result = paint(
                net,
                wanted,
                picture,
                size=size,
                order=tiles,
                tile_size=tile_size,
                overlap=overlap,
                padding=padding,
                octave_count=octaves,
                octave_scale=octave_scale,
                iterations=iters,
                seed=seed,
                device=device,
                precision=precision,
                batch=batch,
                deterministic=deterministic,
                watch=watch,
            )
    except KeyboardInterrupt:
        if latest:
            images.write(latest.picture(), target)
        stopped([target] if latest else [])
    images.write(result, target)
    if not quiet:
        click.echo(f"wrote {target} (seed {seed})")
