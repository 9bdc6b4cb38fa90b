from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lucid.cli import completers
from lucid.cli.click_types import ClassSpecType, LayerType, layer_objective
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
    make_folder,
    net_files,
    output_paths,
    progress_bar,
    refuse_overwrite,
    resolve_stdin,
    stdout_target,
    tell_machine,
    terminal,
    verbosity,
)
from lucid.cli.recipe_args import build_recipe

if TYPE_CHECKING:
    from PIL import Image

    from lucid.core.objectives import Objective
    from lucid.drawing.loop import Progress
    from lucid.films.keyframes import Keyframes
    from lucid.imaging.recipes import Recipe
    from lucid.imaging.video import Footage, Frames
    from lucid.nets.net import Net

SHEET = "preview.png"


@click.command(cls=OneDashCommand)
@click.argument("base", nargs=-1, type=FILE)
@click.option(
    "--class",
    "classes",
    type=ClassSpecType(),
    multiple=True,
    shell_complete=completers.classes,
    help="What to dream of: as in `lucid draw`. Several mix.",
)
@click.option(
    "--layer",
    "layers",
    type=LayerType(),
    multiple=True,
    shell_complete=completers.layers,
    help="Dream of what excites a layer, or a channel of it.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(-10, 10),
    help="With --layer: only features so many deviations above its mean, as nightmare does.",
)
@click.option(
    "--warp",
    "warps",
    multiple=True,
    metavar="NAME[:NUMBERS]",
    shell_complete=completers.warps,
    help="What happens between two dreams; several in order. Numbers may be arithmetic in t, the "
    "frame, and those of rolls in n, the column: zoom:0.05, roll:15*sin(n/20). `lucid film "
    "--list-warps` names all.",
)
@click.option("--warps", "own_warps", type=FILE, help="Run a Python file of your own warps.")
@click.option("--list-warps", is_flag=True, help="Say which warps there are, and stop.")
@click.option("--frames", type=int, help="How many.  [default: 60; of a video, all]")
@click.option(
    "--at",
    "keys",
    type=(click.IntRange(min=0), str),
    multiple=True,
    metavar="FRAME NAME=VALUE",
    help="A key frame: class=NAME, layer=NAME, strength=NUMBER, or a warp's first number "
    "(zoom=0.1). In between it goes gradually.",
)
@click.option(
    "--from",
    "source",
    type=FILE,
    help="Dream nothing: make a film of these frames (a folder), this animation or video.",
)
@click.option(
    "--net",
    "net_name",
    default=DEFAULT_NET,
    shell_complete=completers.nets,
    show_default=True,
    metavar="NET",
    help="Which net dreams: a name from `lucid models`, or a path to a .cfg.",
)
@click.option("--size", type=Size(), help="Of the frames, as 640x480. Else the base's.")
@click.option("--octaves", type=click.IntRange(min=1), help="Of each frame.  [default: 2]")
@click.option(
    "--iters", type=click.IntRange(min=1), help="Passes a frame at each octave.  [default: 6]"
)
@click.option(
    "--strength",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="How far each dream goes.",
)
@click.option("--tile-size", type=click.IntRange(min=8), help="Side of a tile, in pixels.")
@click.option("--seed", type=SEED, help="Of all that is drawn at random. Else a new one.")
@click.option("--batch", type=click.IntRange(min=1), help="As in `lucid draw`.")
@click.option(
    "--hold",
    type=click.FloatRange(0, 1),
    help="On a video: how much of the last dream stays on what it was dreamt on.  [default: 0.85]",
)
@click.option("--no-flow", is_flag=True, help="On a video: dream each frame by itself.")
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="A file (.gif, .apng, .webp, .mp4, .webm), or a folder for numbered frames; {stem} "
    "stands for the base's name, - for standard output. Else a numbered GIF.",
)
@click.option(
    "--delay",
    type=click.IntRange(1, 1000),
    help="Between frames, in hundredths of a second.  [default: 7; of a video, its own]",
)
@click.option(
    "--loop",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="How often an animation is shown: 0 for ever, 1 once.",
)
@click.option("--reverse", is_flag=True, help="Show the last frame first.")
@click.option("--boomerang", is_flag=True, help="Show the frames there and back again.")
@click.option("--resume", is_flag=True, help="Go on after the last frame of the same -o.")
@click.option("--force", is_flag=True, help="Overwrite what -o names.")
@PREVIEW
@net_files
@device_options
@verbosity
def film(
    base: tuple[Path, ...],
    source: Path | None,
    own_warps: Path | None,
    list_warps: bool,
    output: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Dream, warp, dream again: a film that starts on BASE, a picture, or from noise.

    If BASE is a video or an animation, every frame of it is dreamt on. Of several bases each
    becomes a film of its own; - is standard input.

    \b
    lucid film photo.jpg --class goldfish --warp zoom:0.05 -o deeper.mp4
    lucid film --class jellyfish --warp "roll:15*sin(n/20)" --frames 120 -o waves.gif
    lucid film photo.jpg --layer 8 --warp rotate:2 --at 0 zoom=0 --at 60 zoom=.1 --warp zoom:0
    lucid film --from frames/ --reverse -o back.gif
    """
    from lucid.films import warp
    from lucid.imaging import video
    from lucid.imaging.files import next_free_path
    from lucid.imaging.io import read_image

    if own_warps:
        warp.load(own_warps)
    if list_warps:
        for name in sorted(warp.WARPS):
            what = (warp.WARPS[name].__doc__ or "").split("\n\n")[0]
            click.echo(f"{warp.usage(name):<46} {' '.join(what.split())}")
        return
    dreams = ("warps", "classes", "layers", "resume")
    if source and (base or any(options[name] for name in dreams)):
        raise click.UsageError("--from dreams nothing: give it no BASE, class, warp or --resume")
    bases = find_files(base)
    check_alone(output, bases, {"--resume": options["resume"]})
    for each in bases:  # what is wrong is said before the first film is made
        file = resolve_stdin(each)
        video.Footage(file) if video.is_film(file) else read_image(file)
    with stdout_target(output, ".gif") as given:
        for number, target in enumerate(output_paths(given, bases or [Path()])):
            start = bases[number] if bases else None
            target = target or next_free_path("film", suffix=".gif")  # noqa: PLW2901
            count, more = _make(start, source, target, quiet=quiet, **options)
            if not quiet and str(output) != "-":
                click.echo(f"wrote {target} ({count} frames{more})")


def _make(base: Path | None, source: Path | None, target: Path, **options: Any) -> tuple[int, str]:
    """Make one film; says how many frames it has, and its seed if it was dreamt."""
    from lucid.imaging import recipes, video

    video.check_writable(target)
    force = options["force"]
    if target.suffix:
        refuse_overwrite((target, recipes.sidecar_path(target)), force)
    order = {"reverse": options["reverse"], "boomerang": options["boomerang"]}
    given = source or (resolve_stdin(base) if base else None)
    footage = video.Footage(given) if given and video.is_film(given) else None
    pace: dict[str, Any] = {"loop": options["loop"], "delay": options["delay"]}
    if options["delay"] is None:
        pace["delay"] = footage.delay if footage else video.DEFAULT_DELAY
    if source:
        count = _put_together(
            list(video.playback_order(video.read(source), **order)), target, force, pace
        )
        return count, ""
    if not target.suffix and any(order.values()):
        raise click.UsageError(f"{target} is a folder: its frames stand in the order they are made")

    folder = target.with_name(f"{target.name}.part") if target.suffix else target
    kept, recipe = _dreamt(base, footage, folder, **options)
    count = len(kept)
    if target.suffix:
        video.write(video.playback_order(kept, **order), target, metadata=recipe.toml(), **pace)
        kept.remove(SHEET, recipes.FILM_RECIPE)
        with contextlib.suppress(OSError):  # something of the user's lies there
            folder.rmdir()
    recipes.write_sidecar(recipe, target)
    return count, f", seed {recipe.options['seed']}"


def _put_together(
    frames: list[Image.Image], target: Path, force: bool, pace: dict[str, Any]
) -> int:
    """Write frames that are there already; says how many."""
    from lucid.imaging import recipes, video

    recipe = build_recipe()
    if target.suffix:
        video.write(frames, target, metadata=recipe.toml(), **pace)
    else:
        kept = _fresh(target, force)
        for frame in frames:
            kept.append(frame, recipe.toml())
    recipes.write_sidecar(recipe, target)
    return len(frames)


def _dreamt(
    base: Path | None, footage: Footage | None, folder: Path, **options: Any
) -> tuple[Frames, Recipe]:
    """Dream all frames that are not in the folder yet."""
    from lucid.films.film import film as dream
    from lucid.films.video_dream import dream_over
    from lucid.imaging import recipes, video
    from lucid.imaging.io import read_image
    from lucid.nets.registry import load, load_meta

    count = _count(footage, options)
    picture = read_image(resolve_stdin(base)) if base and footage is None else None
    net_of = (options["net_name"], options["weights"], options["names"])
    _script(load_meta(*net_of), **options)  # what is wrong is said now

    quiet = options["quiet"]
    before = _begun(folder, options["seed"]) if options["resume"] else None
    frames = video.Frames(folder) if before else _fresh(folder, options["force"])
    net = load(*net_of, progress=not quiet)
    if before:
        options["seed"] = before.options["seed"]
    elif options["seed"] is None:
        options["seed"] = secrets.randbelow(2**31)
    recipe = _recipe(net, base, count, options)
    if before and _frozen(before) != _frozen(recipe):
        raise click.UsageError(f"{folder} was begun with other settings: give the same")
    recipes.write_sidecar(recipe, folder / recipes.FILM_RECIPE)
    configure_logging(options["verbose"], quiet)
    if options["verbose"]:
        tell_machine(net, options["device"], options["precision"], options["seed"])
        click.echo(f"the frames so far: {folder / SHEET}", err=True)
    script = _script(net, **options)
    settings = {
        "octave_count": options["octaves"],
        "iterations": options["iters"],
        **{name: options[name] for name in PASSED_ON},
    }
    done = len(frames)
    last = frames[done - 1] if done else None

    def watch(frame: int, progress: Progress) -> None:
        options["batch"] = progress.batch

    settings["watch"] = watch
    new: Iterator[Image.Image]
    if footage is None:
        after = None if last is None else (done - 1, last)
        new = dream(net, script, picture, frames=count, after=after, **settings)
    else:
        if options["hold"] is not None:
            settings["hold"] = options["hold"]
        settings |= {"flow": not options["no_flow"], "skip": done, "last": last}
        new = dream_over(net, script, itertools.islice(footage, count), **settings)
    with progress_bar(folder.name.removesuffix(".part"), count, quiet) as bar:
        bar.update(min(done, count))
        try:
            _keep(new, frames, count, bar, recipe.toml(), options["preview"])
        except KeyboardInterrupt:
            click.echo(f"stopped after {len(frames)} frames: --resume goes on", err=True)
            raise SystemExit(130) from None
    return frames, _recipe(net, base, count, options)


def _count(footage: Footage | None, options: dict[str, Any]) -> int:
    """How many frames there will be; refuses what does not go together."""
    from lucid.films import optical_flow

    count: int | None = options["frames"]
    if count is None:
        count = 60 if footage is None else footage.count
    if count < 1:
        raise click.UsageError(f"a film of {count} frames shows nothing: give 1 or more")
    if footage is not None and options["warps"]:
        raise click.UsageError("a video moves by itself: leave --warp out")
    if footage is None and (options["hold"] is not None or options["no_flow"]):
        raise click.UsageError("--hold and --no-flow are for videos")
    if footage is not None and not options["no_flow"]:
        optical_flow.check_installed()
    return count


def _recipe(net: Net, base: Path | None, count: int, options: dict[str, Any]) -> Recipe:
    """How the film is made."""
    from lucid.films.film import film_config

    return build_recipe(
        net,
        options["device"],
        options["precision"],
        made={"manner": film_config(net).plain()},
        base=base,
        frames=count,
        seed=options["seed"],
        batch=options["batch"],
    )


def _keep(
    new: Iterator[Image.Image], frames: Frames, count: int, bar: Any, note: str, preview: bool
) -> None:
    """Write frames as they come, and now and then a sheet of those there are."""
    from lucid.imaging.contact_sheet import contact_sheet
    from lucid.imaging.io import write_image

    screen = terminal(preview)
    for frame in new:
        frames.append(frame, note)
        bar.update(1)
        if screen:
            screen.show(frame, last=len(frames) == count)
        if len(frames) % max(1, count // 16) == 0 or len(frames) == count:
            shown = frames[:: max(1, len(frames) // 16)]
            write_image(contact_sheet([_small(each) for each in shown]), frames.folder / SHEET)


PASSED_ON = ("size", "strength", "tile_size", "seed", "device", "precision", "batch")
"""Options that are called in Python what they are called here."""


def _script(net: Net, **options: Any) -> Keyframes:
    """What the film does, as the command line says it."""
    from lucid.films import warp
    from lucid.films.keyframes import Keyframes

    wanted: dict[int, Objective] = {}
    threshold = options["threshold"]
    if options["classes"] or options["layers"]:
        wanted[0] = _objective(net, options["classes"], options["layers"], threshold)
    changes: dict[str, dict[int, float]] = {}
    for frame, key in options["keys"]:
        name, equals, value = key.partition("=")
        if not equals:
            raise click.UsageError(f"--at {frame} {key!r}: write NAME=VALUE, such as zoom=0.1")
        if name == "class":
            asked = [ClassSpecType().convert(part, None, None) for part in value.split("+")]
            wanted[frame] = _objective(net, asked, (), None)
        elif name == "layer":
            layers = [LayerType().convert(value, None, None)]
            wanted[frame] = _objective(net, (), layers, threshold)
        else:
            try:
                changes.setdefault(name, {})[frame] = float(value)
            except ValueError:
                raise click.UsageError(f"--at {frame} {key!r}: {value!r} is no number") from None
    return Keyframes(wanted, [warp.parse(text) for text in options["warps"]], changes)


def _objective(
    net: Net, asked: Sequence[Any], layers: Sequence[Any], threshold: float | None
) -> Objective:
    from lucid.core.objectives import Enhance, LayerL2
    from lucid.drawing import loop
    from lucid.films.film import film_config

    if any(each.place for each in asked):
        raise click.UsageError("a film has no places: leave @ out")
    parts: list[Objective] = [layer_objective(net, *layer) for layer in layers]
    if threshold is not None:
        if not parts or not all(isinstance(part, LayerL2) for part in parts):
            raise click.UsageError("--threshold is for a whole --layer")
        parts = [Enhance(next(iter(part.layers)), threshold) for part in parts]
    if asked:
        weights: dict[str, float] = {}
        for each in asked:
            weights[each.name] = weights.get(each.name, 0.0) + each.weight
        parts.append(loop.classes(net, weights, film_config(net)))
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _fresh(folder: Path, force: bool) -> Frames:
    """A folder without frames."""
    from lucid.imaging.recipes import FILM_RECIPE
    from lucid.imaging.video import Frames

    make_folder(folder)
    there = sorted(folder.glob("frame_*.png"))
    there += [path for path in (folder / SHEET, folder / FILM_RECIPE) if path.exists()]
    if there and not force:
        raise click.UsageError(f"{there[0]} exists: --resume goes on, --force begins anew")
    frames = Frames(folder)
    frames.remove(SHEET, FILM_RECIPE)
    return frames


def _begun(folder: Path, seed: int | None) -> Recipe:
    """How the film was begun that is to be resumed."""
    from lucid.imaging import recipes

    note = folder / recipes.FILM_RECIPE
    if not note.is_file():
        raise click.UsageError(f"{folder} holds nothing to resume: leave --resume out")
    before = recipes.read(note)
    kept = before.options.get("seed")
    if seed not in (None, kept):
        raise click.UsageError(f"{folder} was begun with seed {kept}, not {seed}")
    return before


def _frozen(recipe: Recipe) -> tuple[Any, ...]:
    """What a film's frames depend on but their numbers."""
    options = {key: value for key, value in recipe.options.items() if key not in FREE}
    files = sorted(recipe.made.get("files", {}).values())
    return options, files, recipe.made.get("weights")


FREE = ("frames", "batch", "delay", "loop", "reverse", "boomerang")
"""Options in which a film that is resumed may differ."""


def _small(frame: Image.Image) -> Image.Image:
    return frame.resize((160, max(1, 160 * frame.height // frame.width)))
