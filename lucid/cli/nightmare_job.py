"""What ``lucid nightmare`` does: check its words, then write a picture for each round."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from lucid.cli import console, files, hints
from lucid.cli.nightmare import NightmareArguments
from lucid.cli.options import CHANGED
from lucid.cli.recipe_args import build_recipe
from lucid.imaging import recipes
from lucid.imaging.files import check_writable
from lucid.imaging.io import read_image
from lucid.imaging.preview import Preview
from lucid.nets.net import Net
from lucid.nets.registry import load, load_meta
from lucid.nightmares.nightmare import Progress, nightmare
from lucid.nightmares.reconstruct import reconstruct
from lucid.nightmares.steps import NightmareStep, draw_steps, layers_around, read_steps, write_steps

NOT_USED = {
    "-reconstruct": (
        *("layer_range", "octaves", "threshold", "zoom", "rotate", "rotate_degrees", "norm"),
        *("grey", "steps_file", "save_steps", "tile_size"),
    ),
    "--steps": ("layer_range", "octaves", "iters", "seed", "save_steps"),
    "a nightmare without -reconstruct": ("momentum", "pull", "reach"),
    "--rotate-degrees": ("rotate",),
    "-o": ("prefix",),
}
"""Parameters that mean nothing beside another option."""


def run_nightmare(arguments: NightmareArguments) -> None:
    """Make the pictures of all rounds, write them and print where."""
    net_name, weights, image_file, layer = _parse_words(arguments)
    unused = _refuse_unused(arguments)
    save_steps = arguments.save_steps
    if save_steps and save_steps.exists():
        raise click.UsageError(f"{save_steps} exists: give another name to --save-steps")
    if save_steps and not save_steps.parent.is_dir():
        raise click.UsageError(f"{save_steps}: there is no folder {save_steps.parent}")
    file = files.resolve_stdin(image_file)
    image = read_image(file)
    steps = _read_steps(arguments, load_meta(net_name, weights, arguments.names), layer)
    net = load(net_name, weights, arguments.names, progress=not arguments.quiet)
    console.start_log(arguments, net, arguments.seed)
    watcher = _Watcher(arguments.preview)
    grey = arguments.grey
    if grey is None:
        grey = "darknet" if arguments.steps_file else "auto"
    pictures = _start(arguments, net, image, layer, grey, steps, watcher)
    # As Darknet names its files: its stems end at the first dot.
    stem = f"{file.name.split('.')[0]}_{net.name}_{re.sub('[^0-9A-Za-z.]', '-', layer)}"
    output = arguments.output
    if output:
        words = {"stem": file.stem, "net": net.name, "layer": layer, "seed": str(arguments.seed)}
        output = files.fill_name(output, words)
    _reserve(arguments, stem, output)
    total = len(steps) if steps else arguments.rounds * arguments.iters
    written: list[Path] = []

    def write(picture: Image.Image, stem: str, **made: int) -> None:
        path = output or arguments.prefix / f"{stem}_{len(written):06d}.png"
        overrides: dict[str, Any] = {"grey": grey, **dict.fromkeys(unused)}
        recipe = None if arguments.no_recipe else build_recipe(net, made, **overrides)
        recipes.write_picture(picture, path, recipe, replace=arguments.force)
        written.append(path)

    try:
        with console.progress_bar(stem, total, arguments) as watcher.bar:
            for number, picture in enumerate(pictures, start=1):
                if output is None or number == arguments.rounds:
                    write(picture, stem, round=number - 1)
    except KeyboardInterrupt:
        latest = watcher.latest
        if latest and latest.done > len(written) * total // arguments.rounds:
            # An unfinished picture never replaces a finished one of an earlier run.
            earlier = (arguments.prefix / f"{stem}_{len(written):06d}.png").exists()
            write(latest.picture(), f"{stem}_unfinished" if earlier else stem, steps=latest.done)
        _save_steps(steps, latest.done if latest else 0, save_steps)
        console.exit_stopped(written)
    _save_steps(steps, total, save_steps)
    if not arguments.quiet:
        console.print_written(written)


def _reserve(arguments: NightmareArguments, stem: str, output: Path | None) -> None:
    """Reserve the names of the pictures, and refuse to replace any without --force."""
    # The folder is made only after all that can be wrong has been found.
    files.make_folder(arguments.prefix)
    numbered = re.compile(rf"{re.escape(stem)}_(\d{{6,}})\.png")
    there = [
        path
        for path in sorted(arguments.prefix.iterdir())
        if (match := numbered.fullmatch(path.name)) and int(match[1]) < arguments.rounds
    ]
    first = output or arguments.prefix / f"{stem}_000000.png"
    check_writable(first)
    files.reserve_output(first)
    files.refuse_overwrite(recipes.output_files(output) if output else there, arguments.force)


def _parse_words(arguments: NightmareArguments) -> tuple[str, Path | None, Path, str]:
    """Return the net, its weights, the image and the layer that the command names."""
    words, weights = arguments.words, arguments.weights
    if len(words) == 4 and weights:
        raise click.UsageError(f"weights are given twice: {words[1]} and --weights {weights}")
    if len(words) == 4 and not Path(words[2]).exists() and Path(words[1]).suffix != ".weights":
        raise click.UsageError(
            f"{words[2]}: is no picture. A net by name takes three words, NET IMAGE LAYER; for "
            "several layers around LAYER give -range 3"
        )
    if len(words) == 4:
        return words[0], Path(words[1]), Path(words[2]), words[3]
    if len(words) == 3 and words[1].endswith(".weights"):
        raise click.UsageError(f"behind {words[2]} LAYER is missing: CFG WEIGHTS IMAGE LAYER")
    if len(words) == 3:
        hints.check_order(words[0], Path(words[1]), "lucid nightmare NET IMAGE LAYER")
        return words[0], weights, Path(words[1]), words[2]
    raise click.UsageError(
        "nightmare takes CFG WEIGHTS IMAGE LAYER, or NET IMAGE LAYER, such as lucid64 photo.jpg 8, "
        f"not {len(words)} words; `lucid layers NET` lists a net's layers"
    )


def _refuse_unused(arguments: NightmareArguments) -> set[str]:
    """Refuse options that were typed but mean nothing beside others; name all of that kind."""
    context = click.get_current_context()
    kinds = ["-reconstruct" if arguments.reconstruct else "a nightmare without -reconstruct"]
    kinds += ["--steps"] * (arguments.steps_file is not None and not arguments.reconstruct)
    kinds += ["--rotate-degrees"] * (arguments.rotate_degrees is not None)
    kinds += ["-o"] * (arguments.output is not None)
    unused = set()
    for kind in kinds:
        for parameter in context.command.params:
            name = parameter.name or ""
            if name in NOT_USED[kind]:
                unused.add(name)
                source = context.get_parameter_source(name)
                # A recipe holds every option, also those that mean nothing beside new ones.
                typed = name in context.meta.get(CHANGED, {name})
                if source is click.core.ParameterSource.COMMANDLINE and typed:
                    raise click.UsageError(f"{parameter.opts[-1]} means nothing beside {kind}")
    return unused


def _start(
    arguments: NightmareArguments,
    net: Net,
    image: Tensor,
    layer: str,
    grey: str | float,
    steps: list[NightmareStep] | None,
    watcher: _Watcher,
) -> Iterator[Image.Image]:
    """Start the nightmare, or the reconstruction."""
    if arguments.reconstruct:
        return reconstruct(
            *(net, image, layer),
            rounds=arguments.rounds,
            iterations=arguments.iters,
            rate=arguments.rate,
            momentum=arguments.momentum,
            pull=arguments.pull,
            reach=arguments.reach,
            seed=arguments.seed,
            runtime=arguments.runtime,
            watch=watcher,
        )
    degrees = arguments.rotate_degrees
    return nightmare(
        *(net, image, layer),
        rounds=arguments.rounds,
        iterations=arguments.iters,
        layer_range=arguments.layer_range,
        octaves=arguments.octaves,
        rate=arguments.rate,
        threshold=arguments.threshold,
        zoom=arguments.zoom,
        rotate=arguments.rotate if degrees is None else math.radians(degrees),
        normalize=bool(arguments.norm),
        grey=grey,
        steps=steps,
        tile_size=arguments.tile_size,
        seed=arguments.seed,
        runtime=arguments.runtime,
        watch=watcher,
    )


class _Watcher:
    """Called after each step: moves the bar, shows the picture."""

    bar: console.ProgressBar

    def __init__(self, preview: bool) -> None:
        self._preview = Preview() if preview else None
        self.latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.latest = progress
        self.bar.update(1)
        if self._preview:
            self._preview.show(progress.picture, last=progress.done == progress.total)


def _read_steps(arguments: NightmareArguments, meta: Net, layer: str) -> list[NightmareStep] | None:
    """Read the steps of --steps, or draw those to save; None if there are neither."""
    layers = layers_around(meta, layer, arguments.layer_range)  # errors appear before any download
    if arguments.steps_file:
        return read_steps(arguments.steps_file, meta)
    if arguments.save_steps:
        drawn = draw_steps(layers, arguments.octaves, arguments.seed)
        return list(itertools.islice(drawn, arguments.rounds * arguments.iters))
    return None


def _save_steps(steps: list[NightmareStep] | None, done: int, path: Path | None) -> None:
    """Write the steps that were done to the file of --save-steps."""
    if path and steps and done:
        write_steps(steps[:done], path, replace=False)
