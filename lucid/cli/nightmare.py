from __future__ import annotations

import re
from pathlib import Path

import click

from lucid.cli.common import (
    FILE,
    SEED,
    OneDashCommand,
    loudness,
    machine,
    make_folder,
    net_files,
    one_dash,
    progress_bar,
    stopped,
    tell_machine,
    tell_written,
)

COUNT = click.IntRange(1, 2**31 - 1)


class Grey(click.ParamType):
    name = "auto|darknet|X"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | float:
        if value in ("auto", "darknet"):
            return str(value)
        try:
            return float(str(value))
        except ValueError:
            self.fail(f"{value!r} is not auto, darknet or a number", param, ctx)


@click.command(cls=OneDashCommand, options_metavar="[OPTIONS]")
@click.argument("words", nargs=-1, required=True, metavar="CFG WEIGHTS IMAGE LAYER")
@one_dash("rounds", type=COUNT, default=1, show_default=True, help="Pictures to make.")
@one_dash("iters", type=COUNT, default=10, show_default=True, help="Steps in a round.")
@one_dash(
    "range",
    "layer_range",
    type=COUNT,
    default=1,
    show_default=True,
    help="How many layers around LAYER to draw from.",
)
@one_dash(
    "octaves",
    type=COUNT,
    default=4,
    show_default=True,
    help="How many scales to draw from, each 3/4 of the one before.",
)
@one_dash(
    "rate",
    type=float,
    default=0.05,
    show_default=True,
    help="Step size (.05 on Darknet's page, .04 in its program).",
)
@one_dash(
    "thresh",
    "threshold",
    type=float,
    default=1.0,
    show_default=True,
    help="Enhance features this many deviations above the mean.",
)
@one_dash(
    "zoom",
    type=float,
    default=1.0,
    show_default=True,
    help="After each round, keep this much of the middle.",
)
@one_dash(
    "rotate", type=float, default=0.0, show_default=True, help="After each round, turn by radians."
)
@one_dash("norm", type=int, default=1, show_default=True, help="0: do not normalise the steps.")
@one_dash("prefix", type=FILE, default=Path(), help="Folder to write into.")
@click.option(
    "--grey",
    type=Grey(),
    default="auto",
    show_default=True,
    help="The pull towards grey. darknet: 0.1 x (0.5 - image) beside the raw gradient; X: beside "
    "one divided by its deviation; auto: Darknet's unless it would drown the gradient, else 0.1.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of all that is drawn.")
@net_files
@machine
@loudness
def nightmare(
    words: tuple[str, ...],
    rounds: int,
    iters: int,
    layer_range: int,
    octaves: int,
    rate: float,
    threshold: float,
    zoom: float,
    rotate: float,
    norm: int,
    prefix: Path,
    grey: str | float,
    seed: int,
    weights: Path | None,
    names: Path | None,
    device: str,
    precision: str,
    deterministic: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Let a layer of a net have its way with a picture: Darknet's nightmare.

    \b
    lucid nightmare CFG WEIGHTS IMAGE LAYER    as Darknet has it
    lucid nightmare NET IMAGE LAYER            a net by name

    LAYER is a Darknet layer's number, or a layer's name (see `lucid layers NET`).
    Darknet's own options take one dash or two. Each round is written as
    IMAGE_NET_LAYER_000000.png, counting up from 0 in every run, as Darknet
    does: use -prefix to keep an earlier run's.
    """
    if len(words) == 4 and weights:
        raise click.UsageError(f"weights are given twice: {words[1]} and --weights {weights}")
    if len(words) == 4:
        net_name, weights, image_name, layer = words[0], Path(words[1]), words[2], words[3]
    elif len(words) == 3 and words[1].endswith(".weights"):
        raise click.UsageError(f"behind {words[2]} LAYER is missing: CFG WEIGHTS IMAGE LAYER")
    elif len(words) == 3:
        net_name, image_name, layer = words
    else:
        raise click.UsageError(
            f"nightmare takes CFG WEIGHTS IMAGE LAYER, or NET IMAGE LAYER, not {len(words)} words"
        )

    from lucid import images, nets
    from lucid.nightmare import Progress, layers_around
    from lucid.nightmare import nightmare as dream

    image = images.read(image_name)
    # Before any download, a layer that is not there.
    layers_around(nets.outline(net_name, weights, names), layer, layer_range)
    net = nets.load(net_name, weights, names, progress=not quiet)
    # As Darknet names its files: its stems end at the first dot.
    stem = f"{Path(image_name).name.split('.')[0]}_{net.name}_{re.sub('[^0-9A-Za-z.]', '-', layer)}"
    make_folder(prefix)
    images.check_writable(prefix / f"{stem}.png")
    if verbose:
        tell_machine(net, device, precision, seed)

    latest: Progress | None = None

    def watch(progress: Progress) -> None:
        nonlocal latest
        latest = progress
        bar.update(1)

    pictures = dream(
        net,
        image,
        layer,
        rounds=rounds,
        iterations=iters,
        layer_range=layer_range,
        octaves=octaves,
        rate=rate,
        threshold=threshold,
        zoom=zoom,
        rotate=rotate,
        normalize=bool(norm),
        grey=grey,
        seed=seed,
        device=device,
        precision=precision,
        deterministic=deterministic,
        watch=watch,
    )
    written: list[Path] = []
    try:
        with progress_bar(stem, rounds * iters, quiet) as bar:
            for number, picture in enumerate(pictures):
                path = prefix / f"{stem}_{number:06d}.png"
                images.write(picture, path)
                written.append(path)
    except KeyboardInterrupt:
        if latest and latest.done > len(written) * iters:
            path = prefix / f"{stem}_{len(written):06d}.png"
            images.write(latest.picture(), path)
            written.append(path)
        stopped(written)
    if not quiet:
        tell_written(written)
