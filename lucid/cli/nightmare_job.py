"""What ``lucid nightmare`` does: check its words, then write a picture for each round."""

from __future__ import annotations

import glob
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from lucid.imaging.files import FORMATS, check_writable
from lucid.imaging.fit import fit_image, fit_size
from lucid.imaging.io import read_image
from lucid.imaging.preview import Preview
from lucid.nets.net import Net
from lucid.nets.registry import load, load_meta
from lucid.nightmares.nightmare import Progress, nightmare
from lucid.nightmares.reconstruct import reconstruct
from lucid.nightmares.steps import NightmareStep, draw_steps, layers_around, read_steps, write_steps
from lucid.tiling.octaves import resize

WEIGHTS = (".weights", ".pth", ".safetensors")
"""Suffixes of files of weights, by which one is known among the words."""

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
    """Make the pictures of all rounds of each image, write them and print where."""
    net_name, weights, patterns, layer = _parse_words(arguments)
    unused = _refuse_unused(arguments)
    save_steps = arguments.save_steps
    if save_steps and save_steps.exists():
        raise click.UsageError(f"{save_steps} exists: give another name to --save-steps")
    if save_steps and not save_steps.parent.is_dir():
        raise click.UsageError(f"{save_steps}: there is no folder {save_steps.parent}")
    images = files.find_files(patterns)
    for image in images:  # errors appear before any download, and before the first is painted
        read_image(files.resolve_stdin(image))
    if save_steps and len(images) > 1:
        raise click.UsageError("--save-steps keeps the steps of one image: give one")
    steps = _read_steps(arguments, load_meta(net_name, weights, arguments.names), layer)
    net = load(net_name, weights, arguments.names, progress=not arguments.quiet)
    console.start_log(arguments, net, arguments.seed)
    nightmares: list[_Nightmare] = []
    for image in images:
        taken = {each.stem for each in nightmares}
        each = _Nightmare(arguments, net, layer, image, steps, unused)
        if each.stem in taken:
            raise click.UsageError(
                f"{image}: another image has its name: give -o with {{stem}}, and other names"
            )
        each.reserve()
        nightmares.append(each)
    written = [path for each in nightmares for path in each.run()]
    if not arguments.quiet:
        console.print_written(written)


class _Nightmare:
    """The nightmare of one image."""

    def __init__(
        self,
        arguments: NightmareArguments,
        net: Net,
        layer: str,
        image: Path,
        steps: list[NightmareStep] | None,
        unused: set[str],
    ) -> None:
        self.arguments, self.net, self.layer, self.steps = arguments, net, layer, steps
        self.image, self.file, self.unused = image, files.resolve_stdin(image), unused
        grey = arguments.grey
        if grey is None:
            grey = "darknet" if arguments.steps_file else "auto"
        self.grey: str | float = grey
        # As Darknet names its files: its stems end at the first dot.
        stem = self.file.name.split(".")[0]
        self.name = f"{stem}_{net.name}_{re.sub('[^0-9A-Za-z.]', '-', layer)}"
        self.output = arguments.output
        if self.output:
            words = {"stem": self.file.stem, "net": net.name, "layer": layer}
            words["seed"] = str(arguments.seed)
            self.output = files.fill_name(self.output, words)
        self.stem = str(self.output or self.name)
        self.written: list[Path] = []

    def reserve(self) -> None:
        """Reserve the names of the pictures, and refuse to replace any without --force."""
        _reserve(self.arguments, self.name, self.output)

    def run(self) -> list[Path]:
        """Paint all rounds; return the files that were written."""
        arguments, steps = self.arguments, self.steps
        watcher = _Watcher(arguments.preview)
        image = read_image(self.file)
        if arguments.size:
            shape = image.shape[1], image.shape[2]
            size = fit_size(shape, arguments.size.of(shape), arguments.fit)
            image = resize(fit_image(image, size, arguments.fit), size).clamp(0, 1)
        pictures = _start(arguments, self.net, image, self.layer, self.grey, steps, watcher)
        total = len(steps) if steps else arguments.rounds * arguments.iters
        try:
            with console.progress_bar(self.name, total, arguments) as watcher.bar:
                for number, picture in enumerate(pictures, start=1):
                    if self.output is None or number == arguments.rounds:
                        self.write(picture, self.name, round=number - 1)
        except KeyboardInterrupt:
            latest = watcher.latest
            if latest and latest.done > len(self.written) * total // arguments.rounds:
                # An unfinished picture never replaces a finished one of an earlier run.
                numbered = f"{self.name}_{len(self.written):06d}.png"
                earlier = (arguments.prefix / numbered).exists()
                stem = f"{self.name}_unfinished" if earlier else self.name
                self.write(latest.picture(), stem, steps=latest.done)
            _save_steps(steps, latest.done if latest else 0, arguments.save_steps)
            console.exit_stopped(self.written)
        _save_steps(steps, total, arguments.save_steps)
        return self.written

    def write(self, picture: Image.Image, stem: str, **made: int) -> None:
        """Write a picture with its recipe."""
        arguments = self.arguments
        path = self.output or arguments.prefix / f"{stem}_{len(self.written):06d}.png"
        overrides: dict[str, Any] = {"grey": self.grey, **dict.fromkeys(self.unused)}
        overrides["words"] = [*_before_images(arguments), str(self.image), self.layer]
        overrides["precision"] = _precision(arguments)
        recipe = None if arguments.no_recipe else build_recipe(self.net, made, **overrides)
        recipes.write_picture(picture, path, recipe, replace=arguments.force)
        self.written.append(path)


def _precision(arguments: NightmareArguments) -> str:
    """The precision that was typed; of steps that are repeated, single precision."""
    repeated = arguments.steps_file is not None and arguments.precision == "auto"
    return "fp32" if repeated else arguments.precision


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


def _before_images(arguments: NightmareArguments) -> list[str]:
    """The net, and its weights if they are among the words."""
    words = arguments.words
    return list(words[:2]) if len(words) > 3 and _names_weights(words) else list(words[:1])


def _names_weights(words: Sequence[str]) -> bool:
    """Tell whether the second word is a file of weights, as in Darknet's own commands."""
    suffix = Path(words[1]).suffix.lower()
    return suffix in WEIGHTS or (words[0].endswith(".cfg") and suffix not in FORMATS)


def _parse_words(arguments: NightmareArguments) -> tuple[str, Path | None, list[Path], str]:
    """Return the net, its weights, the images and the layer that the command names."""
    words, weights = arguments.words, arguments.weights
    if len(words) < 3:
        raise click.UsageError(
            "nightmare takes CFG WEIGHTS IMAGE LAYER, or NET IMAGE LAYER, such as lucid64 "
            f"photo.jpg 8, not {len(words)} words; `lucid layers NET` lists a net's layers"
        )
    if len(words) > 3 and _names_weights(words):
        if weights:
            raise click.UsageError(f"weights are given twice: {words[1]} and --weights {weights}")
        return words[0], Path(words[1]), [Path(word) for word in words[2:-1]], words[-1]
    if words[1].endswith(".weights"):
        raise click.UsageError(f"behind {words[2]} LAYER is missing: CFG WEIGHTS IMAGE LAYER")
    hints.check_order(words[0], Path(words[1]), "lucid nightmare NET IMAGE LAYER")
    images = [Path(word) for word in words[1:-1]]
    missing = [each for each in images if not (each.exists() or glob.has_magic(str(each)))]
    if len(images) > 1 and missing and str(missing[0]) != "-":
        raise click.UsageError(
            f"{missing[0]}: is no picture: NET IMAGE… LAYER. For several layers around LAYER give "
            "-range 3"
        )
    return words[0], weights, images, words[-1]


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
            runtime=replace(arguments.runtime, precision=_precision(arguments)),
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
        runtime=replace(arguments.runtime, precision=_precision(arguments)),
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
