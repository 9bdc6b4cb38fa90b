"""What ``lucid draw`` is to make: names, seeds and settings of pictures, before any work."""

from __future__ import annotations

import glob
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from lucid.cli import files, targets
from lucid.cli.draw import DrawArguments
from lucid.core.device import fits_memory
from lucid.drawing import on_disk
from lucid.drawing.config import TILE, DrawConfig, default_config, on_canvas
from lucid.drawing.preset_files import read_preset
from lucid.drawing.specs import ClassSpec
from lucid.imaging import recipes
from lucid.imaging.files import check_writable
from lucid.imaging.fit import inside
from lucid.imaging.io import read_alpha, read_image
from lucid.nets.net import Net
from lucid.plugins import is_code

PREVIEW_SIDE = 320
"""The longest side of --quick, in pixels."""


@dataclass(frozen=True)
class Single:
    """One picture of a job.

    Attributes:
        classes: what to draw, besides layers.
        seed: of its random numbers.
        path: the file to write.
        caption: what to print under it on a sheet.
    """

    classes: list[ClassSpec]
    seed: int
    path: Path
    caption: str


@dataclass(frozen=True)
class Job:
    """What to draw on one base, or from noise: one picture, or several and a sheet of them."""

    base: Path | None  # as it was typed; None for noise
    size: tuple[int, int] | None  # (height, width) in pixels; None for the size of a tile
    on_disk: bool  # whether to draw on pixels in files
    config: DrawConfig
    target: Path  # the picture, or the sheet of several
    singles: list[Single]
    columns: int | None = None  # of the sheet; None for as many as there are rows

    @property
    def paths(self) -> list[Path]:
        """The files of the single pictures."""
        return [single.path for single in self.singles]

    @property
    def seed(self) -> int:
        """The seed of the first picture."""
        return self.singles[0].seed


def plan_job(
    arguments: DrawArguments, meta: Net, base: Path | None, output: Path | None, taken: set[Path]
) -> Job:
    """Find out what to do for one base, and refuse what makes no sense or would be overwritten.

    Args:
        arguments: of the command.
        meta: the net, without weights.
        base: the picture to draw on; None for noise.
        output: the file of ``-o``, with its words in braces; None for a numbered file.
        taken: the files of other jobs.
    """
    file = files.resolve_stdin(base) if base else None
    picture = read_image(file) if file else None
    transparent = arguments.alpha or (file is not None and read_alpha(file) is not None)
    several = arguments.count > 1 or arguments.each
    in_files = arguments.on_disk or (arguments.resume and not several)
    size = None if picture is None else (picture.shape[1], picture.shape[2])
    if arguments.size:
        size = arguments.size.of(size)
    if arguments.quick and size:
        size = _preview_size(size)
    if size and not fits_memory(size, (TILE, TILE)) and arguments.canvas in (None, "pixels"):
        in_files = True
    if in_files:
        _check_on_disk(arguments, transparent)
    seed = _choose_seed(arguments, output, in_files=in_files)
    classes = targets.requested_classes(meta, arguments, arguments.classes, seed)
    targets.check_targets(classes, arguments)
    config = _choose_config(arguments, meta, on_base=picture is not None, in_files=in_files)
    targets.draw_targets(meta, classes, config, size, arguments)  # errors appear before any work
    targets.draw_edits(meta, config, size, arguments)
    rows = targets.single_classes(meta, classes) if arguments.each else [classes]
    stem = targets.output_stem(meta, classes, arguments.layers)
    stem = stem or ("random" if arguments.mix else "caricature" if arguments.caricature else "own")
    words = {
        "stem": file.stem if file else "noise",
        "net": meta.name,
        "class": targets.output_stem(meta, classes, ()),
        "layer": targets.output_stem(meta, [], arguments.layers),
    }
    seeds = range(seed, seed + arguments.count)
    if output:
        shown = f"{seed}-{seeds[-1]}" if arguments.count > 1 else str(seed)
        target = files.fill_name(output, {**words, "seed": shown}, taken)
        files.reserve_output(target)
    else:
        target = files.reserve_numbered(f"{file.stem}_{stem}" if file else stem, taken=taken)
    singles = []
    for row in rows:
        for each in seeds:
            label = targets.output_stem(meta, row, ())
            path = target
            if several:
                own = {**words, "class": label, "seed": str(each)}
                path = _single_path(output, target, own, arguments)
            caption = [targets.describe_classes(meta, row)] if arguments.each else []
            singles.append(Single(row, each, path, ", ".join([*caption, f"seed {each}"])))
    for path in {target, *(single.path for single in singles)}:
        if path in taken:
            raise click.UsageError(f"{path} would be written twice: give bases other names")
        check_writable(path, size or (1, 1), alpha=transparent)
        stages = path.parent.glob(f"{glob.escape(path.stem)}_pass*{path.suffix}")
        kept = stages if arguments.save_every else ()
        if not (arguments.resume and several):
            hint = ", or --resume to draw what is missing" if several and output else ""
            files.refuse_overwrite([*recipes.output_files(path), *kept], arguments.force, hint)
    return Job(
        base, size, in_files, config, target, singles, arguments.count if arguments.each else None
    )


def _preview_size(size: tuple[int, int]) -> tuple[int, int]:
    """A size of the same shape, of at most ``PREVIEW_SIDE`` pixels a side."""
    if max(size) <= PREVIEW_SIDE:
        return size
    return inside(size, (PREVIEW_SIDE, PREVIEW_SIDE))


def _single_path(
    output: Path | None, sheet: Path, words: dict[str, str], arguments: DrawArguments
) -> Path:
    """Name one picture of several: by the words in braces, else by what is put behind the name."""
    path = files.fill_name(output, words) if output else sheet
    stem = path.stem
    if arguments.each and "{class}" not in str(output):
        stem += f"_{words['class']}"
    if arguments.count > 1 and "{seed}" not in str(output):
        stem += f"_seed{words['seed']}"
    return path.with_stem(stem)


def _choose_seed(arguments: DrawArguments, output: Path | None, *, in_files: bool) -> int:
    """The first seed: the one that was typed, that of what is resumed, or a new one."""
    if arguments.resume and not output:
        raise click.UsageError("--resume needs -o, the picture that was to be written")
    if arguments.resume and output and in_files:
        return on_disk.seed_to_resume(output, arguments.seed)
    if arguments.seed is not None:
        return arguments.seed
    if arguments.resume and output:
        numbered = re.compile(rf"{re.escape(output.stem)}.*_seed(\d+){re.escape(output.suffix)}")
        there = [numbered.fullmatch(path.name) for path in output.parent.glob("*_seed*")]
        seeds = [int(match[1]) for match in there if match]
        if not seeds:
            raise click.UsageError("--resume: there is nothing to resume: give --seed, the first")
        return min(seeds)
    return secrets.randbelow(2**31)


def _check_on_disk(arguments: DrawArguments, transparent: bool) -> None:
    """Refuse what needs the whole picture in memory."""
    refused = {
        "--count": arguments.count > 1,
        "--each": arguments.each,
        "--save-every": arguments.save_every,
        "--mask": arguments.mask,
        "--keep-colors": arguments.keep_colors,
        "--log": arguments.log,
        "--path": arguments.path,
        "--skin": arguments.skin,
        "--caricature": arguments.caricature,
        "--weight-decay": arguments.weight_decay,
        "--alpha": arguments.alpha,
        "--at": arguments.edits,
        "transparency": transparent,
    }
    for name, value in refused.items():
        if value:
            raise click.UsageError(f"there is no {name} for pictures that are painted on disk")


def _choose_config(
    arguments: DrawArguments, meta: Net, *, on_base: bool, in_files: bool
) -> DrawConfig:
    """Change the net's default hyperparameters as the options say."""
    config = default_config(meta, on_base=on_base)
    canvas = arguments.canvas
    if arguments.preset:
        config = read_preset(arguments.preset, config)
    elif in_files:
        canvas = canvas or "pixels"
    if canvas and not is_code(canvas):
        config = on_canvas(config, canvas)
    typed: dict[str, Any] = {
        "blur": arguments.blur,
        "tv_weight": arguments.tv,
        "noise": arguments.noise,
        "tint": arguments.tint,
    }
    config = replace(config, **{name: each for name, each in typed.items() if each is not None})
    if arguments.quick:
        config = replace(config, iterations=max(1, config.iterations // 2))
    return config
