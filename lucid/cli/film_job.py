"""What ``lucid film`` does: dream the frames of each film into a folder, then encode them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from PIL import Image

from lucid.cli import console, files, targets
from lucid.cli.film import FilmArguments
from lucid.cli.film import film as command
from lucid.cli.recipe_args import build_recipe, parameters_by_name, recipe_names
from lucid.drawing.loop import Progress
from lucid.drawing.options import DrawOptions
from lucid.films import optical_flow, warp
from lucid.films.film import film, film_config
from lucid.films.video_dream import dream_over
from lucid.imaging import recipes, video
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.files import next_free_path
from lucid.imaging.io import read_image, write_image
from lucid.imaging.preview import Preview
from lucid.imaging.recipes import FILM_RECIPE, Recipe
from lucid.imaging.video import Footage, Frames

SHEET = "preview.png"  # shows the frames so far in a folder of frames


def print_warps() -> None:
    """Print every warp with its arguments and what it does."""
    for name in sorted(warp.WARPS):
        summary = (warp.WARPS[name].__doc__ or "").split("\n\n")[0]
        click.echo(f"{warp.usage(name):<46} {' '.join(summary.split())}")


def film_all(arguments: FilmArguments) -> None:
    """Make every film that was asked for and print where it was written."""
    dreaming = arguments.classes or arguments.layers or arguments.warps or arguments.resume
    if arguments.source and (arguments.base or dreaming):
        raise click.UsageError("--from dreams nothing: give it no BASE, class, warp or --resume")
    bases = files.find_files(arguments.base)
    files.check_output(arguments.output, bases, {"--resume": arguments.resume})
    for file in map(files.resolve_stdin, bases):  # errors appear before the first film is made
        video.Footage(file) if video.is_film(file) else read_image(file)
    with files.stdout_target(arguments.output, ".gif") as output:
        starts: list[Path | None] = [*bases] or [None]  # None is noise
        for base, target in zip(starts, files.output_paths(output, bases), strict=True):
            path = target or next_free_path("film", suffix=".gif")
            note = _make_film(arguments, base, path)
            if not arguments.quiet and str(arguments.output) != "-":
                click.echo(f"wrote {path} ({note})")


def _make_film(arguments: FilmArguments, base: Path | None, target: Path) -> str:
    """Make one film; return what to print of it: its number of frames, and its seed."""
    video.check_writable(target)
    if target.suffix:
        files.refuse_overwrite((target, recipes.sidecar_path(target)), arguments.force)
    file = arguments.source or (files.resolve_stdin(base) if base else None)
    footage = video.Footage(file) if file and video.is_film(file) else None

    def encode(frames: Iterable[Image.Image], recipe: Recipe) -> None:
        delay = arguments.delay or (footage.delay if footage else video.DEFAULT_DELAY)
        video.write(frames, target, delay=delay, loop=arguments.loop, metadata=recipe.toml())

    in_order = functools.partial(
        video.playback_order, reverse=arguments.reverse, boomerang=arguments.boomerang
    )
    if arguments.source:
        recipe, frames = build_recipe(), list(in_order(video.read(arguments.source)))
        if target.suffix:
            encode(frames, recipe)
        else:
            kept = _empty_folder(target, arguments.force)
            for frame in frames:
                kept.append(frame, recipe.toml())
        note = f"{len(frames)} frames"
    else:
        if not target.suffix and (arguments.reverse or arguments.boomerang):
            raise click.UsageError(f"{target} is a folder: its frames keep the order of dreaming")
        folder = target.with_name(f"{target.name}.part") if target.suffix else target
        dreams, recipe = _dream_frames(arguments, base, footage, folder)
        note = f"{len(dreams)} frames, seed {recipe.options['seed']}"
        if target.suffix:
            encode(in_order(dreams), recipe)
            dreams.remove(SHEET, FILM_RECIPE)
            with contextlib.suppress(OSError):  # the user keeps something in it
                folder.rmdir()
    recipes.write_sidecar(recipe, target)
    return note


def _dream_frames(
    arguments: FilmArguments, base: Path | None, footage: Footage | None, folder: Path
) -> tuple[Frames, Recipe]:
    """Dream all frames that are not in the folder yet; return them all and the recipe."""
    count = _frame_count(arguments, footage)
    picture = read_image(files.resolve_stdin(base)) if base and footage is None else None
    targets.read_keyframes(arguments.load_meta(), arguments)  # errors appear before any download
    before = _resumed_recipe(folder, arguments.seed) if arguments.resume else None
    frames = Frames(folder) if before else _empty_folder(folder, arguments.force)
    net = arguments.load()
    seed = before.options["seed"] if before else arguments.seed
    seed = secrets.randbelow(2**31) if seed is None else seed
    batch = arguments.batch

    def recipe() -> Recipe:
        made = {"config": film_config(net).to_dict()}
        return build_recipe(net, made, base=base, frames=count, seed=seed, batch=batch)

    def watch(frame: int, progress: Progress) -> None:
        nonlocal batch
        batch = progress.batch

    begun = recipe()
    if before and _frozen(before) != _frozen(begun):
        raise click.UsageError(f"{folder} was begun with other settings: give the same")
    recipes.write_sidecar(begun, folder / FILM_RECIPE)
    console.start_log(arguments, net, seed)
    if arguments.verbose:
        click.echo(f"the frames so far: {folder / SHEET}", err=True)
    keyframes = targets.read_keyframes(net, arguments)
    done = len(frames)
    last = frames[done - 1] if done else None
    options: DrawOptions = {
        "size": arguments.size,
        "octave_count": arguments.octaves,
        "iterations": arguments.iters,
        "strength": arguments.strength,
        "tile_size": arguments.tile_size,
        "seed": seed,
        "runtime": arguments.runtime,
    }
    if footage is None:
        after = None if last is None else (done - 1, last)
        dreams = film(net, keyframes, picture, frames=count, after=after, watch=watch, **options)
    else:
        over = dream_over
        if arguments.blend is not None:
            over = functools.partial(dream_over, blend=arguments.blend)
        images, flow = itertools.islice(footage, count), not arguments.no_flow
        dreams = over(
            net, keyframes, images, flow=flow, skip=done, last=last, watch=watch, **options
        )
    try:
        _keep(arguments, dreams, frames, count, begun.toml())
    except KeyboardInterrupt:
        click.echo(f"stopped after {len(frames)} frames: --resume goes on", err=True)
        raise SystemExit(130) from None
    return frames, recipe()


def _frame_count(arguments: FilmArguments, footage: Footage | None) -> int:
    """Return the number of frames; refuse what does not go together."""
    count = arguments.frames
    if count is None:
        count = 60 if footage is None else footage.count
    if count < 1:
        raise click.UsageError(f"a film of {count} frames shows nothing: give 1 or more")
    if footage is None:
        if arguments.blend is not None or arguments.no_flow:
            raise click.UsageError("--blend and --no-flow are for videos")
        return count
    if arguments.warps:
        raise click.UsageError("a video moves by itself: leave --warp out")
    if not arguments.no_flow:
        optical_flow.check_installed()
    return count


def _keep(
    arguments: FilmArguments, dreams: Iterator[Image.Image], frames: Frames, count: int, note: str
) -> None:
    """Write frames as they come, and now and then a contact sheet of those so far."""
    screen = Preview() if arguments.preview else None
    label = frames.folder.name.removesuffix(".part")
    with console.progress_bar(label, count, arguments.quiet) as bar:
        bar.update(min(len(frames), count))
        for frame in dreams:
            frames.append(frame, note)
            bar.update(1)
            last = len(frames) == count
            if screen:
                screen.show(frame, last=last)
            if len(frames) % max(1, count // 16) == 0 or last:
                shown = frames[:: max(1, len(frames) // 16)]
                small = [one.resize((160, max(1, 160 * one.height // one.width))) for one in shown]
                write_image(contact_sheet(small), frames.folder / SHEET)


def _empty_folder(folder: Path, force: bool) -> Frames:
    """Make a folder without frames; refuse to remove any without --force."""
    files.make_folder(folder)
    there = sorted(folder.glob("frame_*.png"))
    there += [path for path in (folder / SHEET, folder / FILM_RECIPE) if path.exists()]
    if there and not force:
        raise click.UsageError(f"{there[0]} exists: --resume goes on, --force begins anew")
    frames = Frames(folder)
    frames.remove(SHEET, FILM_RECIPE)
    return frames


def _resumed_recipe(folder: Path, seed: int | None) -> Recipe:
    """Read the recipe that the film to resume was begun with."""
    if not (folder / FILM_RECIPE).is_file():
        raise click.UsageError(f"{folder} holds nothing to resume: leave --resume out")
    before = recipes.read(folder / FILM_RECIPE)
    kept = before.options.get("seed")
    if seed not in (None, kept):
        raise click.UsageError(f"{folder} was begun with seed {kept}, not {seed}")
    return before


FREE = ("frames", "batch", "delay", "loop", "reverse", "boomerang")
"""Options that may change when a film is resumed."""


def _frozen(recipe: Recipe) -> tuple[object, ...]:
    """Return what the frames of a film depend on besides their numbers."""
    known = parameters_by_name(command)
    options = {
        # Version 0.1 called some options otherwise.
        recipe_names(known[name])[0] if name in known else name: value
        for name, value in recipe.options.items()
        if name not in FREE
    }
    files = sorted(recipe.made.get("files", {}).values())
    return options, files, recipe.made.get("weights")
