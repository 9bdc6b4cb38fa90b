"""What ``lucid draw`` does: check everything, then draw one picture after another."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from PIL import Image
from torch import Tensor

from lucid.cli import console, files, hints, targets
from lucid.cli.draw import DrawArguments
from lucid.cli.draw import draw as command
from lucid.cli.draw_plan import Job, Single, plan_job
from lucid.cli.pass_log import PassLog
from lucid.cli.recipe_args import build_recipe, frozen_options
from lucid.core.device import check_memory
from lucid.drawing import on_disk
from lucid.drawing.diverse import prepare_group
from lucid.drawing.loop import passes
from lucid.drawing.measurements import dead_channels
from lucid.drawing.options import DrawOptions
from lucid.drawing.plan import Plan, prepare
from lucid.drawing.progress import Progress
from lucid.drawing.recipe import resolved_options
from lucid.drawing.skin import prepare_skin, skin_passes
from lucid.drawing.specs import ClassSpec
from lucid.drawing.targets import Target
from lucid.imaging import recipes
from lucid.imaging.alpha import put_alpha
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.files import open_image
from lucid.imaging.io import read_alpha, read_image
from lucid.imaging.output_paths import exists
from lucid.imaging.preview import Preview
from lucid.imaging.recipes import Recipe
from lucid.nets.net import Net
from lucid.plugins import is_code, load_object


def draw_all(arguments: DrawArguments) -> None:
    """Draw every picture that was asked for and print where it was written."""
    # The metadata knows the classes: a wrong one is found before any download.
    meta = arguments.load_meta()
    hints.check_bases(arguments.base, arguments.classes, meta.classes)
    bases = files.find_files(arguments.base)
    refused = {
        "--count": arguments.count > 1,
        "--each": arguments.each,
        "--save-every": arguments.save_every,
        "--on-disk": arguments.on_disk,
        "--resume": arguments.resume,
    }
    files.check_output(arguments.output, bases, refused)
    _refuse_unfit(arguments)
    mask = targets.requested_mask(arguments.mask)
    guide = read_image(arguments.guide) if arguments.guide else None
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(files.stdout_target(arguments.output, ".png"))
        jobs: list[Job] = []
        starts: list[Path | None] = [*bases] or [None]  # None is noise
        for base in starts:
            taken = {path for job in jobs for path in (job.target, *job.paths)}
            jobs.append(plan_job(arguments, meta, base, output, taken))
        net = arguments.load()
        log = (
            stack.enter_context(PassLog.open(arguments.log, arguments.force))
            if arguments.log
            else None
        )
        for job in jobs:
            console.start_log(arguments, net, job.seed)
            if job.on_disk:
                written = _draw_on_disk(net, job, arguments, guide)
            else:
                written = _Drawing(net, job, arguments, guide, mask, log).draw()
            if not arguments.quiet and str(arguments.output) != "-":
                # What was missing may have any of the seeds, which the names say.
                note = "" if arguments.resume else f" (seed {job.seed})"
                console.print_written(written, note)


def _refuse_unfit(arguments: DrawArguments) -> None:
    """Refuse options that cannot be combined."""
    if arguments.diverse and arguments.count < 2:
        raise click.UsageError("--diverse needs several pictures: add --count, such as --count 9")
    for name, value in (
        ("--skin", arguments.skin),
        ("--each", arguments.each),
        ("--resume", arguments.resume),
        ("--at", arguments.edits),
    ):
        if arguments.diverse and value:
            raise click.UsageError(f"--diverse and {name} cannot be combined: leave one out")
    if arguments.skin and arguments.edits:
        raise click.UsageError("--skin and --at cannot be combined: leave one out")
    targets.check_base(arguments)
    if arguments.each and arguments.layers:
        raise click.UsageError("--each is for classes: leave --layer out")


def _inputs(
    net: Net,
    job: Job,
    single: Single,
    arguments: DrawArguments,
    guide: Tensor | None,
    mask: Tensor | str | None = None,
) -> tuple[list[Target], Tensor | None, DrawOptions]:
    """Return the targets, the base and the options of a drawing."""
    base = read_image(files.resolve_stdin(job.base)) if job.base else None
    arguments = replace(arguments, layers=targets.ranked_layers(net, arguments, base))
    found = targets.draw_targets(
        *(net, single.classes, job.config, job.size, arguments), guide=guide, seed=single.seed
    )
    options: DrawOptions = {
        "size": job.size if arguments.quick or arguments.size else None,
        "fit": arguments.fit,
        "config": job.config,
        "order": load_object(arguments.tiles) if is_code(arguments.tiles) else arguments.tiles,
        "subject": arguments.subject,
        "tile_size": arguments.tile_size,
        "overlap": arguments.overlap,
        "padding": arguments.padding,
        "octave_count": arguments.octaves,
        "octave_scale": arguments.octave_scale,
        "iterations": arguments.iters,
        "strength": arguments.strength,
        "variety": arguments.variety,
        "weight_decay": arguments.weight_decay,
        "laplacian": arguments.laplacian,
        "flip": arguments.flip or None,
        "mask": mask,
        "keep_colors": arguments.keep_colors,
        "alpha": arguments.alpha,
        "at": targets.draw_edits(net, job.config, job.size, arguments) or None,
        "seed": single.seed,
        "runtime": arguments.runtime,
    }
    if arguments.canvas and is_code(arguments.canvas):
        options["canvas"] = load_object(arguments.canvas)
    return found, base, options


def _recipe(plan: Plan, job: Job, passes: int | None = None, **overrides: Any) -> Recipe:
    """Build the recipe of a picture, finished or after some passes."""
    made = plan.to_dict() if passes is None else {"passes": passes, **plan.to_dict()}
    overrides |= {"base": job.base, "batch": plan.ascent.batch, **resolved_options(plan)}
    return build_recipe(plan.net, made, **overrides)


@dataclass
class _Drawing:
    """The pictures of a job, drawn in memory, and the sheet of several."""

    net: Net
    job: Job
    arguments: DrawArguments
    guide: Tensor | None
    mask: Tensor | str | None
    log: PassLog | None

    def draw(self) -> list[Path]:
        """Draw a picture for each of the job's files; return all files that were written."""
        job, arguments = self.job, self.arguments
        written: list[Path] = []
        pictures: list[Image.Image] = []
        groups = [job.singles] if arguments.diverse else [[single] for single in job.singles]
        for group in groups:
            watchers = self._watchers(group)
            finished = [watcher.finished() for watcher in watchers] if arguments.resume else []
            if finished and all(finished):
                pictures += [picture for picture in finished if picture]
                continue
            skin = [ClassSpec(arguments.skin)] if arguments.skin else []
            described = targets.describe_classes(self.net, [*group[0].classes, *skin])
            console.print_painting(arguments, described)
            name = (job.target if arguments.diverse else group[0].path).name
            try:
                with console.progress_bar(
                    name, sum(each.total for each in watchers), arguments
                ) as bar:
                    for stages in zip(*[watcher.painting for watcher in watchers], strict=True):
                        for watcher, progress in zip(watchers, stages, strict=True):
                            bar.update(watcher.watch(progress))
            except KeyboardInterrupt:
                for watcher in watchers:
                    if watcher.latest:
                        written.append(watcher.write(watcher.target, watcher.passes))
                console.exit_stopped(written)
            for watcher in watchers:
                written += [*watcher.written, watcher.write(watcher.target)]
                pictures.append(watcher.picture())
                watcher.report_dead()
                watcher.latest = None  # its canvas is several times as large as the picture
        if len(pictures) > 1:
            captions = [single.caption for single in job.singles]
            sheet = contact_sheet(pictures, columns=job.columns, labels=captions)
            plan, _ = self._plan(job.singles[0])
            recipe = None if arguments.no_recipe else _recipe(plan, job, seed=job.seed)
            replaced = arguments.force or arguments.resume
            recipes.write_picture(sheet, job.target, recipe, replace=replaced)
            written.append(job.target)
        return written

    def _watchers(self, group: list[Single]) -> list[Watcher]:
        """Prepare the pictures that are painted side by side: one, or those of --diverse."""
        job, arguments = self.job, self.arguments
        plan, pattern = self._plan(group[0])
        check_memory(plan.size, plan.tiling.tile)
        alpha = read_alpha(files.resolve_stdin(job.base)) if job.base else None
        plans = prepare_group(plan, len(group)) if arguments.diverse else [plan]
        watchers: list[Watcher] = []
        for single, each in zip(group, plans, strict=True):
            # One picture of a group cannot be made again without the others.
            own: dict[str, Any] = {"seed": job.seed}
            if not arguments.diverse:
                own = {"seed": each.seed, "count": 1}
            if arguments.each:
                own |= {"classes": [one.text for one in single.classes], "each": False, "mix": None}
                own["random_classes"] = None
            # Of pictures that grow side by side, the first is shown.
            shown = arguments.preview and not watchers
            watchers.append(
                Watcher(
                    painting=skin_passes(each, pattern) if pattern else passes(each),
                    total=each.total + (pattern.total if pattern else 0),
                    target=single.path,
                    recipe=functools.partial(_recipe, each, job, **own),
                    alpha=alpha,
                    preview=Preview() if shown else None,
                    arguments=arguments,
                    log=functools.partial(self.log.add, each) if self.log else None,
                    dead=functools.partial(dead_channels, each),
                )
            )
        return watchers

    def _plan(self, single: Single) -> tuple[Plan, Plan | None]:
        """Plan a picture, and the pattern on it."""
        found, base, options = _inputs(
            self.net, self.job, single, self.arguments, self.guide, self.mask
        )
        plan = prepare(self.net, found, base, **options)
        if self.arguments.skin is None:
            return plan, None
        return plan, prepare_skin(plan, self.arguments.skin, **options)


@dataclass
class Watcher:
    """Watches one picture grow: shows it, and keeps stages.

    Attributes:
        painting: yields how far the picture has come, after each pass.
        total: pixels to pass over.
        target: the file to write.
        recipe: builds the picture's recipe; takes ``passes=`` if that is unfinished.
        alpha: the base's transparency.
        preview: shows the picture.
        arguments: of the command.
        log: takes the progress and the number of each pass.
        dead: lists the channels that are active nowhere.
        latest: how far it has come, after the last pass.
        passes: how many there were.
        written: stages that were kept.
    """

    painting: Iterator[Progress]
    total: int
    target: Path
    recipe: Callable[..., Recipe]
    alpha: Image.Image | None
    preview: Preview | None
    arguments: DrawArguments
    log: Callable[[Progress, int], None] | None = None
    dead: Callable[[Progress], list[str]] | None = None
    latest: Progress | None = None
    passes: int = 0
    written: list[Path] = field(default_factory=list)

    def watch(self, progress: Progress) -> int:
        """Take note of a pass; return how many pixels it passed over."""
        before, self.latest = self.latest, progress
        self.passes += 1
        if self.arguments.verbose and (before is None or before.octave != progress.octave):
            if self.preview:
                self.preview.release()
            height, width = progress.octave
            console.echo(f"drawing at {width}x{height}", err=True)
        if self.preview:
            self.preview.show(progress.picture, last=progress.done == progress.total)
        if self.log:
            self.log(progress, self.passes)
        every = self.arguments.save_every
        if every and self.passes % every == 0:
            path = self.target.with_stem(f"{self.target.stem}_pass{self.passes:05d}")
            self.written.append(self.write(path, self.passes))
        return progress.done - (before.done if before else 0)

    def picture(self) -> Image.Image:
        """The picture as it is now, as transparent as its base."""
        assert self.latest
        picture = self.latest.picture()
        if self.alpha is not None:
            put_alpha(picture, self.alpha, self.arguments.fit)
        return picture

    def report_dead(self) -> None:
        """Say which channels were to be painted and are active nowhere in the picture."""
        assert self.latest
        dead = self.dead(self.latest) if self.dead and not self.arguments.quiet else []
        if dead:
            some = " and ".join(dead)
            are = "is" if len(dead) == 1 else "are"
            console.echo(
                f"{some} {are} active nowhere in {self.target}: nothing was found that the net "
                "responds to; try another --seed, more --iters, or another channel",
                err=True,
            )

    def write(self, path: Path, passes: int | None = None) -> Path:
        """Write the picture to a file, with its recipe; ``passes`` if it is unfinished."""
        recipe = None if self.arguments.no_recipe else self.recipe(passes=passes)
        replaced = self.arguments.force or self.arguments.resume
        recipes.write_picture(self.picture(), path, recipe, replace=replaced)
        return path

    def finished(self) -> Image.Image | None:
        """The picture that an earlier run finished; None if there is none.

        Raises:
            UsageError: there is a file of that name which this command does not make.
        """
        if not exists(self.target):
            return None
        before = recipes.read(self.target)
        if frozen_options(before, command) != frozen_options(self.recipe(), command):
            raise click.UsageError(
                f"{self.target} was made with other settings: give the same, or another -o"
            )
        if "passes" in before.made:
            return None
        with open_image(self.target) as image:
            return image.copy()


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

    single = job.singles[0]
    found, base, options = _inputs(net, job, single, arguments, guide)
    described = targets.describe_classes(net, single.classes)
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
