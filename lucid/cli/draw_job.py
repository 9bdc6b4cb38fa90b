"""What ``lucid draw`` does: check everything, then draw one picture after another."""

from __future__ import annotations

import functools
import glob
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from lucid.cli import console, files, hints, targets
from lucid.cli.click_types import ClassSpec
from lucid.cli.draw import DrawArguments
from lucid.cli.recipe_args import build_recipe
from lucid.drawing import on_disk
from lucid.drawing.config import TILE, DrawConfig, default_config, on_canvas
from lucid.drawing.diverse import prepare_group
from lucid.drawing.loop import Progress, check_memory, fits_memory, passes
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.preset_files import read_preset
from lucid.drawing.skin import prepare_skin, skin_passes
from lucid.drawing.targets import Target
from lucid.imaging import recipes
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.files import check_writable
from lucid.imaging.io import read_alpha, read_image
from lucid.imaging.preview import Preview
from lucid.imaging.recipes import Recipe
from lucid.nets.net import Net


def draw_all(arguments: DrawArguments) -> None:
    """Draw every picture that was asked for and print where it was written."""
    # The metadata knows the classes: a wrong one is found before any download.
    meta = arguments.load_meta()
    hints.check_bases(arguments.base, arguments.classes, meta.classes)
    bases = files.find_files(arguments.base)
    several = {
        "--count": arguments.count > 1,
        "--save-every": arguments.save_every,
        "--on-disk": arguments.on_disk,
        "--resume": arguments.resume,
    }
    files.check_output(arguments.output, bases, several)
    if arguments.diverse and arguments.count < 2:
        raise click.UsageError("--diverse needs several pictures: add --count, such as --count 9")
    if arguments.diverse and arguments.skin:
        raise click.UsageError("--diverse and --skin cannot be combined: leave one out")
    mask = targets.read_mask(arguments.mask) if arguments.mask else None
    guide = read_image(arguments.guide) if arguments.guide else None
    with files.stdout_target(arguments.output, ".png") as output:
        jobs: list[Job] = []
        starts: list[Path | None] = [*bases] or [None]  # None is noise
        for base, target in zip(starts, files.output_paths(output, bases), strict=True):
            taken = {path for job in jobs for path in (job.target, *job.singles)}
            jobs.append(_plan_job(arguments, meta, base, target, taken))
        net = arguments.load()
        for job in jobs:
            console.start_log(arguments, net, job.seed)
            if job.on_disk:
                written = _draw_on_disk(net, job, arguments, guide)
            else:
                written = _draw_in_memory(net, job, arguments, guide, mask)
            if not arguments.quiet and str(arguments.output) != "-":
                console.print_written(written, f" (seed {job.seed})")


@dataclass(frozen=True)
class Job:
    """One picture to draw, or ``--count`` pictures with consecutive seeds."""

    base: Path | None  # as it was typed; None for noise
    size: tuple[int, int] | None  # (height, width) in pixels; None for the size of a tile
    on_disk: bool  # whether to draw on pixels in files
    classes: list[ClassSpec]
    config: DrawConfig
    seed: int  # of the first picture
    target: Path  # the picture, or the contact sheet of several
    singles: list[Path]  # the single pictures


def _plan_job(
    arguments: DrawArguments, meta: Net, base: Path | None, output: Path | None, taken: set[Path]
) -> Job:
    """Find out what to do for one base, and refuse what makes no sense or would be overwritten."""
    file = files.resolve_stdin(base) if base else None
    picture = read_image(file) if file else None
    transparent = file is not None and read_alpha(file) is not None
    size, in_files = arguments.size, arguments.on_disk or arguments.resume
    if size is None and picture is not None:
        size = (picture.shape[1], picture.shape[2])
    if size and not fits_memory(size, (TILE, TILE)) and arguments.canvas in (None, "pixels"):
        in_files = True
    if in_files:
        _check_on_disk(arguments, transparent)
    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    if arguments.resume:
        if not output:
            raise click.UsageError("--resume needs -o, the picture that was to be written")
        seed = on_disk.seed_to_resume(output, arguments.seed)
    classes = targets.requested_classes(meta, arguments, seed)
    config = _choose_config(arguments, meta, on_base=picture is not None, in_files=in_files)
    targets.draw_targets(meta, classes, config, size, arguments)  # errors appear before any work
    stem = targets.output_stem(meta, classes, arguments.layers)
    if output:
        files.reserve_output(output)
    target = output or files.reserve_numbered(f"{file.stem}_{stem}" if file else stem, taken=taken)
    singles = [target]
    if arguments.count > 1:
        seeds = range(seed, seed + arguments.count)
        singles = [target.with_stem(f"{target.stem}_seed{each}") for each in seeds]
    for path in {target, *singles}:
        if path in taken:
            raise click.UsageError(f"{path} would be written twice: give bases other names")
        check_writable(path, size or (1, 1), alpha=transparent)
        stages = path.parent.glob(f"{glob.escape(path.stem)}_pass*{path.suffix}")
        kept = stages if arguments.save_every else ()
        files.refuse_overwrite([*recipes.output_files(path), *kept], arguments.force)
    return Job(base, size, in_files, classes, config, seed, target, singles)


def _check_on_disk(arguments: DrawArguments, transparent: bool) -> None:
    """Refuse what needs the whole picture in memory."""
    refused = {
        "--count": arguments.count > 1,
        "--save-every": arguments.save_every,
        "--mask": arguments.mask,
        "--keep-colors": arguments.keep_colors,
        "--path": arguments.path,
        "--skin": arguments.skin,
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
    if canvas:
        config = on_canvas(config, canvas)
    typed: dict[str, Any] = {
        "blur": arguments.blur,
        "tv_weight": arguments.tv,
        "noise": arguments.noise,
        "tint": arguments.tint,
    }
    return replace(config, **{name: each for name, each in typed.items() if each is not None})


def _inputs(
    net: Net, job: Job, arguments: DrawArguments, guide: Tensor | None, mask: Tensor | None = None
) -> tuple[list[Target], Tensor | None, DrawOptions]:
    """Return the targets, the base and the options of a drawing."""
    found = targets.draw_targets(net, job.classes, job.config, job.size, arguments, guide)
    base = read_image(files.resolve_stdin(job.base)) if job.base else None
    options: DrawOptions = {
        "size": arguments.size,
        "config": job.config,
        "order": arguments.tiles,
        "subject": arguments.subject,
        "tile_size": arguments.tile_size,
        "overlap": arguments.overlap,
        "padding": arguments.padding,
        "octave_count": arguments.octaves,
        "octave_scale": arguments.octave_scale,
        "iterations": arguments.iters,
        "strength": arguments.strength,
        "variety": arguments.variety,
        "mask": mask,
        "keep_colors": arguments.keep_colors,
        "seed": job.seed,
        "runtime": arguments.runtime,
    }
    return found, base, options


def _recipe(plan: Plan, job: Job, passes: int | None = None, **overrides: Any) -> Recipe:
    """Build the recipe of a picture, finished or after some passes."""
    made = plan.to_dict() if passes is None else {"passes": passes, **plan.to_dict()}
    # As a share, so that things stay as large in the picture when its size is changed.
    overrides["subject"] = f"{plan.subject / min(plan.size):.6g}"
    for name in ("variety", "noise", "tint"):
        overrides[name] = float(getattr(plan.config, name))
    return build_recipe(plan.net, made, base=job.base, batch=plan.ascent.batch, **overrides)


def _draw_in_memory(
    net: Net, job: Job, arguments: DrawArguments, guide: Tensor | None, mask: Tensor | None
) -> list[Path]:
    """Draw a picture for each of the job's files, and a sheet of several; return all files."""
    found, base, options = _inputs(net, job, arguments, guide, mask)
    plan = prepare(net, found, base, **options)
    pattern = prepare_skin(plan, arguments.skin, **options) if arguments.skin else None
    check_memory(plan.size, plan.tiling.tile)
    skin = [ClassSpec(arguments.skin)] if arguments.skin else []
    console.print_painting(arguments, targets.describe_classes(net, [*job.classes, *skin]))
    alpha = read_alpha(files.resolve_stdin(job.base)) if job.base else None
    preview = Preview() if arguments.preview else None
    watchers: list[Watcher] = []
    for each, path in zip(_plans(plan, job, arguments), job.singles, strict=True):
        # One picture of a group cannot be made again without the others.
        own = {} if arguments.diverse else {"seed": each.seed, "count": 1}
        recipe = functools.partial(_recipe, each, job, **{"seed": job.seed, **own})
        painting = skin_passes(each, pattern) if pattern else passes(each)
        # Of pictures that grow side by side, the first is shown.
        shown = None if arguments.diverse and watchers else preview
        watchers.append(Watcher(painting, path, recipe, alpha, shown, arguments))
    written: list[Path] = []
    pictures: list[Image.Image] = []
    for group in [watchers] if arguments.diverse else [[watcher] for watcher in watchers]:
        label = (job.target if arguments.diverse else group[0].target).name
        total = len(group) * (plan.total + (pattern.total if pattern else 0))
        try:
            with console.progress_bar(label, total, arguments) as bar:
                for stages in zip(*[watcher.painting for watcher in group], strict=True):
                    for watcher, progress in zip(group, stages, strict=True):
                        bar.update(watcher.watch(progress))
        except KeyboardInterrupt:
            for watcher in group:
                if watcher.latest:
                    written.append(watcher.write(watcher.target, watcher.passes))
            console.exit_stopped(written)
        for watcher in group:
            written += [*watcher.written, watcher.write(watcher.target)]
            pictures.append(watcher.picture())
            watcher.latest = None  # its canvas is several times as large as the picture
    if len(pictures) > 1:
        sheet = contact_sheet(pictures)
        made = _recipe(plan, job, seed=job.seed)
        kept = None if arguments.no_recipe else made
        recipes.write_picture(sheet, job.target, kept, replace=arguments.force)
        written.append(job.target)
    return written


def _plans(plan: Plan, job: Job, arguments: DrawArguments) -> list[Plan]:
    """The plan of each of the job's pictures, from that of the first."""
    if arguments.diverse:
        return prepare_group(plan, len(job.singles))
    return [replace(plan, seed=plan.seed + number) for number in range(len(job.singles))]


class Watcher:
    """Watches one picture grow: shows it, and keeps stages.

    Attributes:
        painting: yields how far the picture has come, after each pass.
        target: the file to write.
        latest: how far it has come, after the last pass.
        passes: how many there were.
        written: stages that were kept.
    """

    def __init__(
        self,
        painting: Iterator[Progress],
        target: Path,
        recipe: Callable[..., Recipe],
        alpha: Image.Image | None,
        preview: Preview | None,
        arguments: DrawArguments,
    ) -> None:
        """Watch a picture; ``recipe`` takes ``passes=`` if that is unfinished."""
        self.painting, self.target, self._recipe = painting, target, recipe
        self._save_every, self._verbose = arguments.save_every, arguments.verbose
        self._force, self._no_recipe = arguments.force, arguments.no_recipe
        self._alpha, self._preview = alpha, preview
        self.latest: Progress | None = None
        self.passes = 0
        self.written: list[Path] = []

    def watch(self, progress: Progress) -> int:
        """Take note of a pass; return how many pixels it passed over."""
        before, self.latest = self.latest, progress
        self.passes += 1
        if self._verbose and (before is None or before.octave != progress.octave):
            if self._preview:
                self._preview.release()
            height, width = progress.octave
            console.echo(f"drawing at {width}x{height}", err=True)
        if self._preview:
            self._preview.show(progress.picture, last=progress.done == progress.total)
        if self._save_every and self.passes % self._save_every == 0:
            path = self.target.with_stem(f"{self.target.stem}_pass{self.passes:05d}")
            self.written.append(self.write(path, self.passes))
        return progress.done - (before.done if before else 0)

    def picture(self) -> Image.Image:
        """The picture as it is now, as transparent as its base."""
        assert self.latest
        picture = self.latest.picture()
        if self._alpha is not None:
            picture.putalpha(self._alpha.resize(picture.size))
        return picture

    def write(self, path: Path, passes: int | None = None) -> Path:
        """Write the picture to a file, with its recipe; ``passes`` if it is unfinished."""
        recipe = None if self._no_recipe else self._recipe(passes=passes)
        recipes.write_picture(self.picture(), path, recipe, replace=self._force)
        return path


def _draw_on_disk(net: Net, job: Job, arguments: DrawArguments, guide: Tensor | None) -> list[Path]:
    """Draw a picture that is larger than memory; return its file."""
    before: int | None = None  # pixels passed over

    def watch(done: int, total: int) -> None:
        nonlocal before
        console.print_painting(arguments, described)
        bar.set_length(total)
        if before is None:
            bar.skip(done)
        else:
            bar.update(done - before)
        before = done

    def metadata(plan: Plan) -> str:
        if arguments.no_recipe:
            return ""
        return _recipe(plan, job, seed=job.seed, on_disk=True).toml()

    found, base, options = _inputs(net, job, arguments, guide)
    described = targets.describe_classes(net, job.classes)
    try:
        with console.progress_bar(job.target.name, 1, arguments) as bar:
            on_disk.draw_on_disk(
                *(net, found, job.target, base),
                resume=arguments.resume,
                replace=arguments.force,
                metadata=metadata,
                watch=watch,
                **options,
            )
    except KeyboardInterrupt:
        console.echo(f"stopped: the same command with -o {job.target} --resume goes on", err=True)
        raise SystemExit(130) from None
    return [job.target]
