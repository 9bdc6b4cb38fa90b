from __future__ import annotations

import functools
import glob
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli import completers
from lucid.cli.click_types import (
    ClassSpec,
    ClassSpecType,
    LayerType,
    find_asked,
    find_wishes,
    output_stem,
    read_mask,
)
from lucid.cli.options import (
    DEFAULT_NET,
    FILE,
    PREVIEW,
    SEED,
    OneDashCommand,
    Size,
    check_alone,
    configure_logging,
    device_options,
    find_files,
    net_files,
    output_paths,
    progress_bar,
    refuse_overwrite,
    resolve_stdin,
    stdout_target,
    stopped,
    tell_machine,
    tell_written,
    terminal,
    verbosity,
)
from lucid.cli.recipe_args import build_recipe

if TYPE_CHECKING:
    from PIL import Image

    from lucid.drawing.config import DrawConfig
    from lucid.drawing.loop import Plan, Progress
    from lucid.imaging.recipes import Recipe
    from lucid.nets.net import Net


@click.command(cls=OneDashCommand)
@click.argument("base", nargs=-1, type=FILE)
@click.option(
    "--class",
    "classes",
    type=ClassSpecType(),
    multiple=True,
    shell_complete=completers.classes,
    help="What to draw: a class's name, an unambiguous part of it, its number, or a group (birds, "
    "dogs, insects, …). Several mix. PLACE is X,Y or X,Y,DIAMETER (shares of the picture, "
    "and pixels) or a mask image.",
)
@click.option("--mix", type=FILE, help="A TOML file of classes and weights: goldfish = 0.7")
@click.option(
    "--random-classes", type=click.IntRange(min=1), help="Mix so many classes, drawn by the seed."
)
@click.option(
    "--layer",
    "layers",
    type=LayerType(),
    multiple=True,
    shell_complete=completers.layers,
    help="Draw what excites a layer, a channel of it, or a neuron at a place of the tile.",
)
@click.option(
    "--guide", type=FILE, help="With one --layer: draw what that layer sees in this image."
)
@click.option(
    "--net",
    "net_name",
    default=DEFAULT_NET,
    shell_complete=completers.nets,
    show_default=True,
    metavar="NET",
    help="Which net draws: a name from `lucid models`, or a path to a .cfg.",
)
@click.option(
    "--preset",
    metavar="NAME|FILE",
    shell_complete=completers.presets,
    help="How to climb: deepdream (Google's, for --layer), deepdraw, or a .toml or .json file.",
)
@click.option(
    "--canvas",
    type=click.Choice(["fourier", "pixels", "phase"]),
    help="What is climbed: Fourier coefficients; pixels; or phases alone, with the contrast of "
    "photographs (MACO). [default: fourier]",
)
@click.option(
    "--strength",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="How far to go: .1 is a shimmer, 1 is usual, 3 leaves little of a base.",
)
@click.option("--mask", type=FILE, help="Change the picture only where this image is bright.")
@click.option(
    "--path",
    metavar="line|circle|sine|'X,Y X,Y …'",
    help="Draw along a path with a soft round brush. X and Y are shares of the picture.",
)
@click.option(
    "--brush", type=click.IntRange(min=8), help="Its diameter, in pixels. Else a tile's side."
)
@click.option("--keep-colors", is_flag=True, help="Keep the base's colours: dream in brightness.")
@click.option(
    "--blur", type=click.FloatRange(0, 100), help="Blur after each pass, by so many pixels."
)
@click.option(
    "--tv",
    type=click.FloatRange(0, 100),
    help="Hold total variation down: in units of the gradient.",
)
@click.option(
    "--size",
    type=Size(),
    help="Of the picture, as 640x480; a base is stretched to it. Else the base's, or 224x224.",
)
@click.option(
    "--tiles",
    type=click.Choice(["spiral", "random", "grid", "none", "fixed"]),
    default="spiral",
    show_default=True,
    help="spiral: ring by ring from the centre, so that detail grows out from the middle; "
    "grid, random: all from one picture; none: the whole picture at once; fixed: deepdraw's "
    "first form, with its seams.",
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
    help="How much larger each octave is than the one before. [default: 1.4]",
)
@click.option(
    "--iters",
    type=click.IntRange(min=1),
    help="Passes over the picture at each octave. Else what suits the net: 48 from noise on most, "
    "24 on a base.",
)
@click.option("--seed", type=SEED, help="Of all that is drawn at random. Else a new one.")
@click.option(
    "--count",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Draw so many, each with the next seed, and a sheet of them all.",
)
@click.option(
    "--save-every", type=click.IntRange(min=1), help="Keep the picture after every so many passes."
)
@click.option(
    "--on-disk",
    is_flag=True,
    help="Paint pixels in files beside the output, as is done with what is too large for memory.",
)
@click.option("--resume", is_flag=True, help="Go on where the same command was cut short, on disk.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="The most tiles the net is shown at once. Else as many as pay and fit; -v says how many.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Where to write; {stem} stands for the base's name, - for standard output. Else a "
    "numbered file named after what was drawn.",
)
@click.option("--force", is_flag=True, help="Overwrite the file that -o names.")
@PREVIEW
@net_files
@device_options
@verbosity
def draw(
    base: tuple[Path, ...],
    net_name: str,
    seed: int | None,
    output: Path | None,
    weights: Path | None,
    names: Path | None,
    preview: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Paint what a net knows: a class or a mix, from noise or on BASE, a picture.

    Of several bases each becomes a picture of its own; - is standard input.

    \b
    lucid draw --class goldfish
    lucid draw --class goldfish --class flamingo:0.5 --size 1024x768
    lucid draw --class lion@.3,.5 --class monarch@.7,.5 --size 640x384
    lucid draw photo.jpg --class "tiger cat" --net googlenet -o dream.png
    lucid draw photos/*.jpg --class tabby -o "dreams/{stem}.png"
    lucid draw photo.jpg --net googlenet --layer inception_4c/output --preset deepdream
    """
    from lucid.imaging.io import read_image
    from lucid.nets.registry import load, load_meta

    # The outline knows the classes: a wrong one is found before any download.
    outline = load_meta(net_name, weights, names)
    bases = find_files(base)
    more = {"--count": options["count"] > 1, "--save-every": options["save_every"]}
    disk = {"--on-disk": options["on_disk"], "--resume": options["resume"]}
    check_alone(output, bases, more | disk)
    mask = read_mask(options["mask"]) if options["mask"] else None
    guide = read_image(options["guide"]) if options["guide"] else None
    with stdout_target(output, ".png") as given:
        jobs: list[Job] = []
        for number, target in enumerate(output_paths(given, bases or [Path()])):
            taken = {path for job in jobs for path in job.files}
            each = bases[number] if bases else None
            jobs.append(Job.of(outline, each, target, seed, taken, **options))
        net = load(net_name, weights, names, progress=not quiet)
        configure_logging(verbose, quiet)
        for job in jobs:
            if verbose:
                tell_machine(net, options["device"], options["precision"], job.seed)
            options |= {"mask": mask, "guide": guide}
            if job.on_disk:
                written = _paint_on_disk(net, job, quiet, **options)
            else:
                watcher = Watcher(options["save_every"], job, preview=preview, verbose=verbose)
                written = _paint(net, job, watcher, quiet, **options)
            if not quiet and str(output) != "-":
                tell_written(written, f" (seed {job.seed})")


@dataclass
class Job:
    """A picture to be drawn, or several with one seed after the other: all that was asked for
    is found to make sense.

    Attributes:
        base: to draw on.
        final: (height, width), where that is known.
        on_disk: whether it is painted in files.
        asked: classes.
        style: the manner.
        seed: the first.
        target: where to write the picture, or the sheet of several.
        singles: where to write each of them.
    """

    base: Path | None
    final: tuple[int, int] | None
    on_disk: bool
    asked: list[ClassSpec]
    style: DrawConfig
    seed: int
    target: Path
    singles: list[Path]

    @property
    def files(self) -> set[Path]:
        """All that will be written."""
        return {self.target, *self.singles}

    @classmethod
    def of(
        cls,
        outline: Net,
        base: Path | None,
        output: Path | None,
        seed: int | None,
        taken: set[Path],
        **options: Any,
    ) -> Job:
        """Find out what is asked for, and refuse what makes no sense, before any work.

        Args:
            outline: the net, without its weights.
            base: to draw on.
            output: where to write; None for a numbered name.
            seed: the one that was given.
            taken: names that are not free.
            options: of the command.
        """
        from lucid.drawing.loop import fits_memory
        from lucid.imaging import recipes
        from lucid.imaging.files import check_writable, next_free_path
        from lucid.imaging.io import read_alpha, read_image

        file = resolve_stdin(base) if base else None
        picture = read_image(file) if file else None
        transparent = file is not None and read_alpha(file) is not None
        final, on_disk = options["size"], options["on_disk"] or options["resume"]
        if final is None and picture is not None:
            final = (picture.shape[1], picture.shape[2])
        if final and not fits_memory(final) and options["canvas"] in (None, "pixels"):
            on_disk = True
        if on_disk:
            _check_on_disk(transparent, **options)
            if not options["preset"]:
                options["canvas"] = options["canvas"] or "pixels"
        seed = _seed(seed, output, options["resume"])
        asked = find_asked(outline, seed, **options)
        style = _style(outline, picture is not None, **options)
        find_wishes(outline, asked, style, final, None, **options)  # what is wrong is said now
        what = output_stem(outline, asked, options["layers"])
        target = output or next_free_path(f"{file.stem}_{what}" if file else what, taken=taken)
        count, singles = options["count"], [target]
        if count > 1:
            singles = [target.with_stem(f"{target.stem}_seed{seed + n}") for n in range(count)]
        for path in {target, *singles}:
            if path in taken:
                raise click.UsageError(f"{path} would be written twice: give bases other names")
            check_writable(path, final or (1, 1), alpha=transparent)
            stages = path.parent.glob(f"{glob.escape(path.stem)}_pass*{path.suffix}")
            kept = stages if options["save_every"] else ()
            refuse_overwrite([*recipes.output_files(path), *kept], options["force"])
        return cls(base, final, on_disk, asked, style, seed, target, singles)


PASSED_ON = (
    *("size", "tile_size", "overlap", "padding", "octave_scale", "strength"),
    *("device", "precision", "batch", "deterministic"),
)
"""Options that are called in Python what they are called here."""


def _settings(net: Net, job: Job, **options: Any) -> dict[str, Any]:
    """The arguments of ``drawing.prepare`` but the net and the seed."""
    from lucid.imaging.io import read_image

    return {
        "wanted": find_wishes(net, job.asked, job.style, job.final, options["guide"], **options),
        "base": read_image(resolve_stdin(job.base)) if job.base else None,
        "manner": job.style,
        "order": options["tiles"],
        "octave_count": options["octaves"],
        "iterations": options["iters"],
        **{name: options[name] for name in PASSED_ON},
    }


def _recipe(plan: Plan, job: Job, passes: int | None = None, **known: Any) -> Recipe:
    """How a picture is made: one that is whole, or after some passes."""
    device_options = click.get_current_context().params
    return build_recipe(
        plan.net,
        device_options["device"],
        device_options["precision"],
        made=plan.plain() if passes is None else {"passes": passes, **plan.plain()},
        base=job.base,
        batch=plan.ascent.batch,
        **known,
    )


def _paint(net: Net, job: Job, watcher: Watcher, quiet: bool, **options: Any) -> list[Path]:
    """Draw a picture for each of the files, and a sheet if there are several; says which."""
    from lucid.drawing import loop
    from lucid.imaging import recipes
    from lucid.imaging.contact_sheet import contact_sheet
    from lucid.imaging.io import to_pil

    settings = _settings(net, job, **options)
    written: list[Path] = []
    pictures: list[Image.Image] = []
    for number, single in enumerate(job.singles):
        seed = job.seed + number
        plan = loop.prepare(net, seed=seed, **settings)
        watcher.begin(single, functools.partial(_recipe, plan, job, seed=seed, count=1))
        try:
            with progress_bar(single.name, plan.total, quiet) as watcher.bar:
                painted = loop.paint(
                    plan, mask=options["mask"], keep_colors=options["keep_colors"], watch=watcher
                )
        except KeyboardInterrupt:
            if watcher.latest:
                written.append(watcher.write(watcher.latest.picture(), single, stage=True))
            stopped(written)
        pictures.append(to_pil(painted))
        written += [*watcher.written, watcher.write(pictures[-1], single)]
    if len(pictures) > 1:
        sheet = contact_sheet(pictures)
        recipes.write_picture(sheet, job.target, _recipe(plan, job, seed=job.seed))
        written.append(job.target)
    return written


def _paint_on_disk(net: Net, job: Job, quiet: bool, **options: Any) -> list[Path]:
    """Draw what is larger than memory; says where."""
    from lucid.drawing.on_disk import draw_on_disk

    def watch(done: int, total: int) -> None:
        bar.length = total
        bar.update(done - bar.pos)

    def note(plan: Plan) -> str:
        return _recipe(plan, job, seed=job.seed, on_disk=True).toml()

    settings = _settings(net, job, **options)
    try:
        with progress_bar(job.target.name, 1, quiet) as bar:
            draw_on_disk(
                net,
                settings.pop("wanted"),
                job.target,
                resume=options["resume"],
                seed=job.seed,
                note=note,
                watch=watch,
                **settings,
            )
    except KeyboardInterrupt:
        click.echo(f"stopped: the same command with -o {job.target} --resume goes on", err=True)
        raise SystemExit(130) from None
    return [job.target]


def _seed(seed: int | None, output: Path | None, resume: bool) -> int:
    """The one that is given, or that the drawing to be resumed has, or a new one."""
    from lucid.drawing.on_disk import seed_to_resume

    if resume and not output:
        raise click.UsageError("--resume needs -o, the picture that was to be written")
    if resume and output:
        return seed_to_resume(output, seed)
    return secrets.randbelow(2**31) if seed is None else seed


def _check_on_disk(transparent: bool, **options: Any) -> None:
    """Refuse what needs the whole picture in memory."""
    refused = {
        "--count": options["count"] > 1,
        "--save-every": options["save_every"],
        "--mask": options["mask"],
        "--keep-colors": options["keep_colors"],
        "--path": options["path"],
        "transparency": transparent,
    }
    for name, given in refused.items():
        if given:
            raise click.UsageError(f"there is no {name} for pictures that are painted on disk")


def _style(net: Net, on_a_base: bool, **options: Any) -> DrawConfig:
    """The manner that suits the net, as the options change it."""
    from dataclasses import replace

    from lucid.drawing.config import default_config, on_canvas, read_preset

    style = default_config(net, on_a_base=on_a_base)
    if options["preset"]:
        style = read_preset(options["preset"], style)
    if options["canvas"]:
        style = on_canvas(style, options["canvas"])
    changes = {"blur": options["blur"], "variation": options["tv"]}
    return replace(style, **{key: value for key, value in changes.items() if value is not None})


class Watcher:
    """What is told after each pass: the bar, the terminal, the stages that are kept."""

    def __init__(self, save_every: int | None, job: Job, *, preview: bool, verbose: bool) -> None:
        from lucid.imaging.io import read_alpha

        self.save_every, self.verbose = save_every, verbose
        self.alpha = read_alpha(resolve_stdin(job.base)) if job.base else None
        self.preview = terminal(preview)
        self.bar: Any = None

    def begin(self, target: Path, recipe: Callable[..., Recipe]) -> None:
        """From now on a picture is drawn that will be written there.

        Args:
            target: where.
            recipe: makes its recipe, of the passes that it took if it is not whole.
        """
        self.target, self.recipe = target, recipe
        self.latest: Progress | None = None
        self.passes = 0
        self.written: list[Path] = []

    def __call__(self, progress: Progress) -> None:
        before, self.latest = self.latest, progress
        self.passes += 1
        if self.verbose and (before is None or before.octave != progress.octave):
            if self.preview:
                self.preview.release()
            height, width = progress.octave
            click.echo(f"climbing at {width}x{height}", err=True)
        self.bar.update(progress.done - (before.done if before else 0))
        if self.preview:
            self.preview.show(progress.picture, last=progress.done == progress.total)
        if self.save_every and self.passes % self.save_every == 0:
            path = self.target.with_stem(f"{self.target.stem}_pass{self.passes:05d}")
            self.written.append(self.write(progress.picture(), path, stage=True))

    def write(self, picture: Image.Image, path: Path, *, stage: bool = False) -> Path:
        """Write a picture, be it a stage on the way, as opaque as its base, with its recipe."""
        from lucid.imaging import recipes

        if self.alpha is not None:
            picture.putalpha(self.alpha.resize(picture.size))
        passes = self.passes if stage else None
        recipes.write_picture(picture, path, self.recipe(passes=passes))
        return path
