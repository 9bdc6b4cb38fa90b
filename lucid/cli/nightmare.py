from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli import completers
from lucid.cli.options import (
    CHANGED,
    FILE,
    PREVIEW,
    SEED,
    OneDashCommand,
    configure_logging,
    device_options,
    make_folder,
    net_files,
    one_dash,
    progress_bar,
    resolve_stdin,
    stopped,
    tell_machine,
    tell_written,
    terminal,
    verbosity,
)
from lucid.cli.recipe_args import build_recipe

if TYPE_CHECKING:
    from PIL import Image

    from lucid.imaging.recipes import Recipe
    from lucid.nightmares.nightmare import Progress
    from lucid.nightmares.steps import NightmareStep

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
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="CFG WEIGHTS IMAGE LAYER",
    shell_complete=completers.nightmare,
)
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
@click.option("--rotate-degrees", type=float, help="The same turn, in degrees.")
@one_dash("norm", type=int, default=1, show_default=True, help="0: do not normalise the steps.")
@one_dash("prefix", type=FILE, default=Path(), help="Folder to write into.")
@one_dash(
    "reconstruct",
    is_flag=True,
    help="Rebuild the image from what LAYER sees of it, and from nothing else.",
)
@one_dash(
    "momentum",
    type=float,
    default=0.9,
    show_default=True,
    help="With -reconstruct: how much of each step the next one keeps.",
)
@one_dash(
    "lambda",
    "pull",
    type=float,
    default=0.01,
    show_default=True,
    help="With -reconstruct: how strongly neighbouring pixels are drawn together.",
)
@one_dash(
    "smooth",
    "reach",
    type=click.IntRange(0, 100),
    default=1,
    show_default=True,
    help="With -reconstruct: how far off a neighbour is, in pixels.",
)
@click.option(
    "--grey",
    type=Grey(),
    help="The pull towards grey. darknet: 0.1 x (0.5 - image) beside the raw gradient; X: beside "
    "one divided by its deviation; auto: Darknet's unless it would drown the gradient, else 0.1. "
    "[default: auto]",
)
@click.option(
    "--steps",
    "replay",
    type=FILE,
    help="Take the steps in this JSON file, in place of -iters, -range, -octaves and --seed, with "
    "--grey darknet unless it is given.",
)
@click.option("--save-steps", type=FILE, help="Write the steps taken, for --steps.")
@click.option(
    "--tile-size",
    type=click.IntRange(8),
    help="Show the net at most so many pixels a side, with the same result but for rounding "
    "(compare at fp32). Without it, what fits into half of the memory.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of all that is drawn.")
@PREVIEW
@net_files
@device_options
@verbosity
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
    rotate_degrees: float | None,
    norm: int,
    prefix: Path,
    reconstruct: bool,
    momentum: float,
    pull: float,
    reach: int,
    grey: str | float | None,
    replay: Path | None,
    save_steps: Path | None,
    tile_size: int | None,
    seed: int,
    weights: Path | None,
    names: Path | None,
    device: str,
    precision: str,
    deterministic: bool,
    preview: bool,
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
    net_name, weights, image_name, layer = _understand(words, weights)
    unused = _refuse_what_is_not_used(
        "-reconstruct" if reconstruct else "a nightmare without -reconstruct",
        "--steps" if replay and not reconstruct else "",
        "--rotate-degrees" if rotate_degrees is not None else "",
    )
    _check_steps_file(save_steps)

    from lucid.imaging.files import check_writable
    from lucid.imaging.io import read_image
    from lucid.nets.registry import load, load_meta
    from lucid.nightmares import nightmare as dream
    from lucid.nightmares import reconstruct as rebuild
    from lucid.nightmares.steps import draw_steps, layers_around, read_steps

    file = resolve_stdin(Path(image_name))
    image = read_image(file)
    # Before any download, a layer that is not there.
    outline = load_meta(net_name, weights, names)
    layers = layers_around(outline, layer, layer_range)
    steps = read_steps(replay, outline) if replay else None
    if save_steps and not replay:
        steps = list(itertools.islice(draw_steps(layers, octaves, seed), rounds * iters))
    net = load(net_name, weights, names, progress=not quiet)
    # As Darknet names its files: its stems end at the first dot.
    stem = f"{file.name.split('.')[0]}_{net.name}_{re.sub('[^0-9A-Za-z.]', '-', layer)}"
    configure_logging(verbose, quiet)
    if verbose:
        tell_machine(net, device, precision, seed)
    watcher = _Watcher(preview)
    place: dict[str, Any] = {
        "seed": seed,
        "device": device,
        "precision": precision,
        "deterministic": deterministic,
        "watch": watcher,
    }
    if grey is None:
        grey = "darknet" if replay else "auto"
    if reconstruct:
        pictures = rebuild.reconstruct(
            net,
            image,
            layer,
            rounds=rounds,
            iterations=iters,
            rate=rate,
            momentum=momentum,
            pull=pull,
            reach=reach,
            **place,
        )
    else:
        pictures = dream.nightmare(
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
            rotate=rotate if rotate_degrees is None else math.radians(rotate_degrees),
            normalize=bool(norm),
            grey=grey,
            steps=steps,
            tile_size=tile_size,
            **place,
        )
    # Only now, when all that can be wrong has been found.
    make_folder(prefix)
    check_writable(prefix / f"{stem}.png")
    total = len(steps) if steps else rounds * iters
    known = {"grey": grey, **dict.fromkeys(unused)}
    written: list[Path] = []
    try:
        with progress_bar(stem, total, quiet) as watcher.bar:
            for number, picture in enumerate(pictures):
                note = build_recipe(net, device, precision, made={"round": number}, **known)
                written.append(_write(picture, prefix, stem, number, note))
    except KeyboardInterrupt:
        latest = watcher.latest
        if latest and latest.done > len(written) * total // rounds:
            note = build_recipe(net, device, precision, made={"steps": latest.done}, **known)
            written.append(_write_unfinished(latest.picture(), prefix, stem, len(written), note))
        _save_steps(steps, latest.done if latest else 0, save_steps)
        stopped(written)
    _save_steps(steps, total, save_steps)
    if not quiet:
        tell_written(written)


class _Watcher:
    """What is told after each step: the bar, the terminal."""

    def __init__(self, preview: bool) -> None:
        self.preview = terminal(preview)
        self.latest: Progress | None = None
        self.bar: Any = None

    def __call__(self, progress: Progress) -> None:
        self.latest = progress
        self.bar.update(1)
        if self.preview:
            self.preview.show(progress.picture, last=progress.done == progress.total)


NOT_USED = {
    "-reconstruct": (
        *("layer_range", "octaves", "threshold", "zoom", "rotate", "rotate_degrees", "norm"),
        *("grey", "replay", "save_steps", "tile_size"),
    ),
    "--steps": ("layer_range", "octaves", "iters", "seed", "save_steps"),
    "a nightmare without -reconstruct": ("momentum", "pull", "reach"),
    "--rotate-degrees": ("rotate",),
}
"""Options that mean nothing beside another one."""


def _refuse_what_is_not_used(*kinds: str) -> set[str]:
    """Refuse options that mean nothing here; says which those are."""
    context = click.get_current_context()
    unused = set()
    for kind in kinds:
        for parameter in context.command.params:
            if parameter.name in NOT_USED.get(kind, ()):
                unused.add(parameter.name)
                source = context.get_parameter_source(parameter.name)
                # What a recipe says is there because it was so, not because it is wanted.
                meant = parameter.name in context.meta.get(CHANGED, {parameter.name})
                if source is click.core.ParameterSource.COMMANDLINE and meant:
                    raise click.UsageError(f"{parameter.opts[-1]} means nothing beside {kind}")
    return unused


def _write(picture: Image.Image, prefix: Path, stem: str, number: int, note: Recipe) -> Path:
    from lucid.imaging import recipes

    path = prefix / f"{stem}_{number:06d}.png"
    recipes.write_picture(picture, path, note)
    return path


def _check_steps_file(path: Path | None) -> None:
    """Find out before the work, not after it, that no steps can be written there."""
    if path and path.exists():
        raise click.UsageError(f"{path} exists: give another name to --save-steps")
    if path and not path.parent.is_dir():
        raise click.UsageError(f"{path}: there is no folder {path.parent}")


def _save_steps(steps: list[NightmareStep] | None, done: int, path: Path | None) -> None:
    from lucid.nightmares.steps import write_steps

    if path and steps and done:
        write_steps(steps[:done], path)


def _write_unfinished(
    picture: Image.Image, prefix: Path, stem: str, number: int, note: Recipe
) -> Path:
    """Keep what Ctrl-C cut short, but never in place of an earlier run's finished picture."""
    earlier = (prefix / f"{stem}_{number:06d}.png").exists()
    return _write(picture, prefix, f"{stem}_unfinished" if earlier else stem, number, note)


def _understand(words: tuple[str, ...], weights: Path | None) -> tuple[str, Path | None, str, str]:
    """The net, its weights, the image and the layer that the command line names."""
    if len(words) == 4 and weights:
        raise click.UsageError(f"weights are given twice: {words[1]} and --weights {weights}")
    if len(words) == 4:
        return words[0], Path(words[1]), words[2], words[3]
    if len(words) == 3 and words[1].endswith(".weights"):
        raise click.UsageError(f"behind {words[2]} LAYER is missing: CFG WEIGHTS IMAGE LAYER")
    if len(words) == 3:
        return words[0], weights, words[1], words[2]
    raise click.UsageError(
        f"nightmare takes CFG WEIGHTS IMAGE LAYER, or NET IMAGE LAYER, not {len(words)} words"
    )
